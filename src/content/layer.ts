import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { Compression } from '../oci/media-types.ts';
import type { LayerStatus } from '../progress.ts';

/** A saved layer: the blob that stands for it, and its status. */
export interface SavedLayer {
  digest: Digest;
  /** Stored bytes. */
  size: number;
  diffId: Digest;
  /** In bytes; null if the layer was reused or omitted, and was not decompressed. */
  uncompressedSize: number | null;
  mediaType: string;
  status: LayerStatus;
}

/** What is known about a layer before its first byte. */
export interface LayerHint {
  /** The archive entry or the digest that names the bytes, for errors. */
  entry: string;
  /** The digest that the source claims for them. It decides what is worth storing; bytes that are used are checked against it. */
  promised?: Digest;
  /**
   * Whether the daemon stated this digest when the image was inspected. If another place has the layer, the bytes are not
   * used, and so not hashed: the image names the layer, and the place proves or states what it has. Default false.
   */
  isStated?: boolean;
  /** Their compression, if their first bytes were read already. Default: it is detected. */
  compression?: Compression;
}

/** What is known about a layer after its bytes have passed. Compressed bytes are stored as they arrived. */
export interface IngestedLayer extends SavedLayer {
  /** The bytes as they arrived. */
  received: { digest: Digest; size: number };
}

/** Turns a layer's bytes into a stored blob, in one pass. */
export type IngestLayer = (bytes: AsyncIterable<Uint8Array>, hint: LayerHint) => Promise<IngestedLayer>;

/**
 * The layers of an image of several platforms: those of its first image, bottom first, then of each further image those
 * that no other before it has. An image may have a layer twice.
 * @param images the layers of each image
 */
export function layersOfAll<T extends Pick<SavedLayer, 'diffId'>>(images: readonly (readonly T[])[]): T[] {
  const known = new Set<Digest>();
  return images.flatMap((layers) => {
    const own = layers.filter(({ diffId }) => !known.has(diffId));
    for (const { diffId } of own) known.add(diffId);
    return own;
  });
}

/** A layer, described by the blob that stands for it. */
export function savedLayer(
  { digest, size, mediaType }: Descriptor,
  { diffId, uncompressedSize, status }: Pick<SavedLayer, 'diffId' | 'uncompressedSize' | 'status'>,
): SavedLayer {
  return { digest, size, diffId, uncompressedSize, mediaType, status };
}
