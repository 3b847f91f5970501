import type { ContentOptions, ContentSource, OpenOptions } from '../content/source.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { decompressDetected, measure } from '../stream/sniffed.ts';
import { sized, verified } from '../stream/verified.ts';

/** A layer: the digest of its uncompressed bytes, and the blob that stores it. */
export interface Layer {
  diffId: Digest;
  blob: Descriptor;
}

/** The uncompressed bytes of a layer, whatever its media type claims: the bytes themselves tell how they are compressed. */
export async function* openLayer(
  source: ContentSource,
  blob: Descriptor,
  options: Omit<OpenOptions, 'offset'> = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  yield* decompressDetected(await source.open(blob, options), `layer ${blob.digest}`);
}

/** Options of {@link prepareLayer}. */
export interface PrepareOptions extends ContentOptions {
  /**
   * Whether who gets the bytes computes the diffID and refuses others, as docker and podman do: then it is not computed here.
   * Default false.
   */
  receiverChecks?: boolean;
}

/** A layer that may go out: its blob is verified. */
export interface PreparedLayer {
  /** Uncompressed bytes: those that `bytes` gives, or else it fails. */
  size: number;
  /**
   * The uncompressed bytes, opened when the first is asked for. Ends well only if they are what the diffID names, or the
   * receiver is to check that.
   */
  bytes: AsyncIterable<Uint8Array>;
}

/**
 * Reads a layer's blob through, so that its digest and its size are known to be right before any of its content goes
 * out. The content itself is checked while it is read: it is decompressed once, and twice only where it does not state
 * how long it is.
 * @throws {@link DrayageError} `DIGEST_MISMATCH`, `SIZE_MISMATCH`, `MALFORMED`, `TRUNCATED`, `NOT_FOUND`, `UNSUPPORTED`; all
 * of them from `bytes` too
 */
export async function prepareLayer(
  source: ContentSource,
  { diffId, blob }: Layer,
  { signal, receiverChecks = false }: PrepareOptions = {},
): Promise<PreparedLayer> {
  const stored = await source.open(blob, { signal, diffIdChecked: true });
  const { compression, size } = await measure(stored, `layer ${blob.digest}`);
  const bytes = openLayer(source, blob, { signal, trustUnchanged: true, diffIdChecked: true });
  // The source itself sees to it that the bytes are those of the digest.
  if (compression === 'none' && blob.digest === diffId) return { size, bytes };
  const check = receiverChecks ? sized : verified;
  return { size, bytes: check(bytes, { digest: diffId, size }, `content of layer ${blob.digest}`) };
}
