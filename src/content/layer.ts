import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { Compression } from '../oci/media-types.ts';
import type { LayerStatus } from '../progress.ts';

/** A layer of an image that was taken in: the blob that stands for it, and what became of that. */
export interface SavedLayer {
  digest: Digest;
  /** Stored bytes. */
  size: number;
  diffId: Digest;
  /** In bytes; null where the layer was there already, or omitted, and was not decompressed. */
  uncompressedSize: number | null;
  mediaType: string;
  status: LayerStatus;
}

/** A layer's bytes as they arrive, with what is known of them before the first byte. */
export interface LayerHint {
  /** The archive entry or the digest that names them, for errors. */
  entry: string;
  /** Bytes to come. */
  size: number;
  /** What their digest is said to be. It decides what is worth storing; the bytes are held against it. */
  promised?: Digest;
  /** How they are compressed, where their first bytes were looked at already. Default: this is found out. */
  compression?: Compression;
}

/** What is known of a layer after its bytes have passed. Compressed bytes are stored as they arrived. */
export interface IngestedLayer extends SavedLayer {
  /** The bytes as they arrived. */
  received: { digest: Digest; size: number };
}

/** Turns a layer's bytes into a stored blob, in one pass. */
export type IngestLayer = (bytes: AsyncIterable<Uint8Array>, hint: LayerHint) => Promise<IngestedLayer>;

/** A layer by the blob that stands for it. */
export function savedLayer(
  { digest, size, mediaType }: Descriptor,
  { diffId, uncompressedSize, status }: Pick<SavedLayer, 'diffId' | 'uncompressedSize' | 'status'>,
): SavedLayer {
  return { digest, size, diffId, uncompressedSize, mediaType, status };
}
