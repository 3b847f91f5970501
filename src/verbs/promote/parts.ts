import type { StoredImage, ImagePlace } from '../../content/image-index.ts';
import type { ContentOptions } from '../../content/source.ts';
import type { ParsedDocument, Manifest } from '../../oci/manifest.ts';
import { walk } from '../../image/contents.ts';
import { isImageManifest } from '../../image/documents.ts';
import type { Index } from '../../oci/image-index.ts';
import { omittedLayers } from '../../image/omitted-layers.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { isNonDistributable } from '../../oci/media-types.ts';

/** What a root consists of. */
export interface Parts {
  /** The manifests, then the indexes over them; the root is the last one. */
  documents: ParsedDocument<Manifest | Index>[];
  /** Configs, layers and whatever else manifests name. */
  blobs: Descriptor[];
  /** Those of them that were left out of the place on purpose: a base image's. */
  omitted: ReadonlySet<Digest>;
}

/** Reads what a root consists of. Layers that need not be distributed are left out where the place lacks them. */
export async function readParts(
  place: ImagePlace,
  root: Descriptor,
  annotations: StoredImage['annotations'],
  options: ContentOptions,
): Promise<Parts> {
  const [manifests, indexes]: [ParsedDocument<Manifest>[], ParsedDocument<Index>[]] = [[], []];
  const blobs = new Map<Digest, Descriptor>();
  const omitted = new Set<Digest>();
  const count = omittedLayers(annotations, root.digest);
  for await (const node of walk(place, root, options)) {
    if (node.kind === 'index') indexes.unshift(node.document);
    if (node.kind !== 'manifest') continue;
    manifests.push(node.document);
    const { config, layers } = node.document.value;
    blobs.set(config.digest, config);
    for (const [i, layer] of layers.entries()) {
      if (isNonDistributable(layer.mediaType) && !(await place.has(layer, options))) continue;
      blobs.set(layer.digest, layer);
      if (i < count && isImageManifest(node.document)) omitted.add(layer.digest);
    }
  }
  return { documents: [...manifests, ...indexes], blobs: [...blobs.values()], omitted };
}
