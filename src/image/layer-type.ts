import { DrayageError } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { isLayerType, layerCompression } from '../oci/media-types.ts';

/**
 * Refuses the bytes of a layer whose media type says that they cannot be read here: in another compression, encrypted. Only
 * who needs the bytes asks: the image's documents, and the blob as it is stored, are of use all the same.
 * @throws {@link DrayageError} `UNSUPPORTED`
 */
export function assertReadable(blob: Descriptor): void {
  const { mediaType } = blob;
  if (isLayerType(mediaType) && layerCompression(mediaType) === undefined) throw unsupported(blob);
}

/**
 * Refuses what an image lists among its layers, and is none: programs that run images ignore it, so nobody knows which diffID
 * belongs to which layer.
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
