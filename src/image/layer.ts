import type { ContentOptions, ContentSource, OpenOptions } from '../content/source.ts';
import { isRemote } from '../content/source.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { decompressDetected, measure } from '../stream/sniffed.ts';
import { sized, verified } from '../stream/verified.ts';
import { assertReadable } from './layer-type.ts';
import { provenSize } from './proven.ts';

/** A layer: the digest of its uncompressed bytes, and the blob that stores it. */
export interface Layer {
  diffId: Digest;
  blob: Descriptor;
}

/** The uncompressed bytes of a layer. Their first bytes identify the compression, whatever the media type claims. */
export async function* openLayer(
  source: ContentSource,
  blob: Descriptor,
  options: Omit<OpenOptions, 'offset'> = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  assertReadable(blob);
  yield* decompressDetected(await source.open(blob, options), `layer ${blob.digest}`);
}

/** Options of {@link prepareLayer}. */
export interface PrepareOptions extends ContentOptions {
  /**
   * Whether the receiver computes the diffID and refuses others, as docker and podman do. Then it is not computed here.
   * Default false.
   */
  receiverChecks?: boolean;
}

/** A layer whose blob is verified, so that it may be sent. */
export interface PreparedLayer {
  /** Uncompressed bytes: `bytes` yields exactly as many, or fails. */
  size: number;
  /**
   * The uncompressed bytes, opened with the first read. They end without an error only if they match the diffID, or the
   * receiver checks that.
   */
  bytes: AsyncIterable<Uint8Array>;
}

/**
 * Reads a layer's blob to its end, so that its digest and size are known to be correct before any of its content is
 * sent. The content is checked while it is read: it is decompressed once, or twice if it does not state its size. A remote
 * layer that was proven is not read beforehand if the receiver checks it.
 * @throws {@link DrayageError} `DIGEST_MISMATCH`, `SIZE_MISMATCH`, `MALFORMED`, `TRUNCATED`, `NOT_FOUND`,
 * `UNSUPPORTED`; all of them also from `bytes`
 */
export async function prepareLayer(
  source: ContentSource,
  { diffId, blob }: Layer,
  { signal, receiverChecks = false }: PrepareOptions = {},
): Promise<PreparedLayer> {
  const known = provenSize({ diffId, blob });
  if (receiverChecks && known !== undefined && (await isRemote(source, blob, { signal }))) {
    const bytes = openLayer(source, blob, { signal, diffIdChecked: true, once: true });
    return { size: known, bytes: sized(bytes, { digest: diffId, size: known }, contentOf(blob)) };
  }
  assertReadable(blob);
  const stored = await source.open(blob, { signal, diffIdChecked: true });
  const { compression, size } = await measure(stored, `layer ${blob.digest}`);
  // Then the source itself checks the bytes against the digest.
  const isPlain = compression === 'none' && blob.digest === diffId;
  const trustUnchanged = receiverChecks || !isPlain;
  const bytes = openLayer(source, blob, { signal, trustUnchanged, diffIdChecked: true });
  if (isPlain) return { size, bytes };
  const check = receiverChecks ? sized : verified;
  return { size, bytes: check(bytes, { digest: diffId, size }, contentOf(blob)) };
}

function contentOf({ digest }: Descriptor): string {
  return `content of layer ${digest}`;
}
