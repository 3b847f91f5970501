import type { IngestedLayer } from '../content/layer.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { Compression } from '../oci/media-types.ts';
import { layerCompression, ociLayerType } from '../oci/media-types.ts';

/** A diffID, and the blob that is said to contain its layer. */
interface Pair {
  diffId: Digest;
  blob: Pick<Descriptor, 'digest'>;
}

/** What a blob was when it was decompressed and hashed. */
interface Proof {
  /** Stored bytes. */
  size: number;
  compression: Compression;
  uncompressedSize: number;
}

/**
 * The proven pairs of a blob and a diffID: this process decompressed and hashed the blob. Both are digests, so a pair stays
 * true whatever happens to any place.
 */
const proven = new Map<string, Proof>();

/** Whether this process has proven that the blob contains the layer. */
export function isProven(pair: Pair): boolean {
  return provenSize(pair) !== undefined;
}

/** The uncompressed size of a layer, if this process has proven that the blob contains it. */
export function provenSize(pair: Pair): number | undefined {
  return proven.get(pairOf(pair))?.uncompressedSize;
}

/**
 * The blob of a proven layer, with the size and the compression that were read. A manifest may state others: whoever wrote it
 * chose them.
 */
export function provenBlob(pair: Pair): Descriptor | undefined {
  const proof = proven.get(pairOf(pair));
  if (proof === undefined) return undefined;
  const { size, compression } = proof;
  return { mediaType: ociLayerType(compression), digest: pair.blob.digest, size };
}

/** Records a pair that was proven on the way: the blob's bytes were decompressed, and both digests and its size checked. */
export function noteProven(
  { diffId, blob }: { diffId: Digest; blob: Pick<Descriptor, 'digest' | 'size'> },
  uncompressedSize: number,
  compression: Compression,
): void {
  proven.set(pairOf({ diffId, blob }), { size: blob.size, compression, uncompressedSize });
}

/**
 * Records that ingest has decompressed and hashed a layer. If another blob was found for the layer, only the layer was
 * hashed.
 */
export function noteIngested({ received, uncompressedSize, diffId, status, ...layer }: IngestedLayer): void {
  const isReceived = received.digest === layer.digest;
  if (uncompressedSize === null || (status !== 'written' && !isReceived)) return;
  const blob = isReceived ? received : layer;
  const compression = blob.digest === diffId ? 'none' : layerCompression(layer.mediaType);
  if (compression !== undefined) noteProven({ diffId, blob }, uncompressedSize, compression);
}

/** Names a pair of a blob and a diffID. */
export function pairOf({ diffId, blob }: Pair): string {
  return `${blob.digest} ${diffId}`;
}
