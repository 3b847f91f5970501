import type { IngestedLayer } from '../content/layer.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';

/** A diffID, and the blob that is said to contain its layer. */
interface Pair {
  diffId: Digest;
  blob: Pick<Descriptor, 'digest'>;
}

/**
 * The proven pairs of a blob and a diffID, with the layer's uncompressed size: this process decompressed and hashed the
 * blob. Both are digests, so a pair stays true whatever happens to any place.
 */
const proven = new Map<string, number>();

/** Whether this process has proven that the blob contains the layer. */
export function isProven(pair: Pair): boolean {
  return provenSize(pair) !== undefined;
}

/** The uncompressed size of a layer, if this process has proven that the blob contains it. */
export function provenSize(pair: Pair): number | undefined {
  return proven.get(pairOf(pair));
}

/** Records a pair that was proven on the way: the blob's bytes were decompressed, and both digests computed. */
export function noteProven(pair: Pair, uncompressedSize: number): void {
  proven.set(pairOf(pair), uncompressedSize);
}

/**
 * Records that ingest has decompressed and hashed a layer. If another blob was found for the layer, only the layer was
 * hashed.
 */
export function noteIngested({ received, uncompressedSize, diffId, status, digest }: IngestedLayer): void {
  const isOwn = status === 'written' || received.digest === digest;
  if (isOwn && uncompressedSize !== null) noteProven({ diffId, blob: { digest } }, uncompressedSize);
}

/** Names a pair of a blob and a diffID. */
export function pairOf({ diffId, blob }: Pair): string {
  return `${blob.digest} ${diffId}`;
}
