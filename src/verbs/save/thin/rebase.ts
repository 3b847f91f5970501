import type { ArrivedImage } from '../../../content/arrived-image.ts';
import type { ContentOptions } from '../../../content/source.ts';
import { readImage } from '../../../image/image.ts';
import type { LayoutTransaction } from '../../../layout/transaction.ts';
import type { Descriptor } from '../../../oci/descriptor.ts';
import { bareDescriptor } from '../../../oci/descriptor.ts';
import { buildManifest } from '../../../oci/manifest.ts';
import { omittedBlobs, omittedLayers } from '../../../image/omitted-layers.ts';
import { isManifestType } from '../../../oci/media-types.ts';
import { once } from '../../../stream/tap.ts';
import type { BaseImage } from './base-image.ts';

/**
 * Gives an image that has arrived the blobs of its base, where a manifest was written over it that may be written anew. Blobs
 * that are left out or stored by now stay what they are. An image with a manifest of its own stays as it is: it names the
 * blobs of its base itself, or has others.
 */
export async function rebase(
  arrival: ArrivedImage,
  base: BaseImage,
  content: LayoutTransaction,
  options: ContentOptions = {},
): Promise<ArrivedImage> {
  const { root, annotations } = arrival;
  if (!arrival.isWritten || !isManifestType(root.mediaType)) return arrival;
  const { manifest, config } = await readImage(content, root, options);
  const { layers } = manifest.value;
  const stored = await content.findBlobs(layers, options);
  const leftOut = omittedBlobs(layers, omittedLayers(annotations, root.digest));
  const stays = ({ digest }: Descriptor): boolean =>
    leftOut.has(digest) || stored.get(digest)?.blob.digest === digest;
  const blobs = layers.map((blob, i) => (stays(blob) ? blob : (base.layers[i]?.blob ?? blob)));
  const document = buildManifest(config.descriptor, blobs);
  await content.put(document.descriptor, once(document.bytes), options);
  return {
    ...arrival,
    root: document.descriptor,
    layers: arrival.layers.map((layer, i) => ({ ...layer, ...bareDescriptor(blobs[i] ?? layer) })),
  };
}
