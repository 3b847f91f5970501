import { DrayageError } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { isLayerType, layerCompression } from '../oci/media-types.ts';

/**
 * Refuses a layer whose media type names an unsupported compression, or encryption. Call it before its bytes are
 * decompressed or passed on. The image's documents and the stored blob can be read without it.
 * @throws {@link DrayageError} `UNSUPPORTED`
 */
export function assertReadable(blob: Descriptor): void {
  const { mediaType } = blob;
  if (isLayerType(mediaType) && layerCompression(mediaType) === undefined) throw unsupported(blob);
}

/**
 * Refuses a descriptor among an image's layers that is not a layer. Programs that run images ignore it, so diffIDs cannot be
 * paired with layers.
 * @throws {@link DrayageError} `UNSUPPORTED`
 */
export function assertLayer(blob: Descriptor): void {
  if (!isLayerType(blob.mediaType)) throw unsupported(blob);
}

function unsupported({ digest, mediaType }: Descriptor): DrayageError {
  return new DrayageError('UNSUPPORTED', `layer ${digest} has the unsupported media type ${mediaType}`, {
    digest,
    actual: mediaType,
    hint: 'build the image with gzip or zstd layers',
  });
}
