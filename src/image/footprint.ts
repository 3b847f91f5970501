import type { ContentOptions, ContentSource } from '../content/source.ts';
import type { Image } from './image.ts';
import { contentsOf } from './contents.ts';
import { readConfig } from './image.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';

/** A layer, and the instruction that made it. */
export interface LayerOrigin {
  digest: Digest;
  /** Stored bytes. */
  size: number;
  /** The instruction, from the config's history; undefined if that does not say. */
  createdBy?: string;
}

/** The size of images when each blob is stored once. */
export interface Footprint {
  /** Stored bytes of all documents and blobs. */
  bytes: number;
  /** All layers, the largest first. */
  layers: LayerOrigin[];
}

/**
 * Measures the size of images together. Reads only documents. Absent content, such as omitted layers, has no size.
 * @param roots with the annotations of their entries, which state the number of omitted layers
 * @throws {@link DrayageError} `MALFORMED`, `LIMIT`; errors of `source` for damaged content
 */
export async function footprint(
  source: ContentSource,
  roots: readonly Descriptor[],
  { signal }: ContentOptions = {},
): Promise<Footprint> {
  const sizes = new Map<Digest, number>();
  const origins = new Map<Digest, LayerOrigin>();
  for (const root of roots) {
    const { annotations } = root;
    const { documents, images, blobs } = await contentsOf(source, root, { annotations, signal });
    for (const { digest, size } of [...documents.map(({ descriptor }) => descriptor), ...blobs])
      sizes.set(digest, size);
    for (const manifest of images) {
      for (const layer of layerOrigins(await readConfig(source, manifest, { signal })))
        if (sizes.has(layer.digest)) origins.set(layer.digest, layer);
    }
  }
  return {
    bytes: [...sizes.values()].reduce((sum, size) => sum + size, 0),
    layers: [...origins.values()].toSorted((a, b) => b.size - a.size),
  };
}

/**
 * The layers of an image with their instructions: the steps of the history (OCI image-spec, config.md) that made a
 * layer.
 */
export function layerOrigins({ config, layers }: Pick<Image, 'config' | 'layers'>): LayerOrigin[] {
  const steps = (config.value.history ?? []).filter(({ empty_layer }) => empty_layer !== true);
  // A history of another length was not kept with the layers: it would name the wrong ones.
  const known = steps.length === layers.length ? steps : [];
  return layers.map(({ blob: { digest, size } }, i) => ({
    digest,
    size,
    createdBy: instruction(known[i]?.created_by),
  }));
}

/** As in the Dockerfile, without what builders wrap around it. */
function instruction(createdBy: string | undefined): string | undefined {
  const text = createdBy
    ?.replace(/^\/bin\/sh -c #\(nop\)\s*/, '')
    .replace(/^(?:RUN )?(?:\|\d+ (?:\S+=\S* )*)?\/bin\/sh -c /, 'RUN ')
    .replace(/\s*# buildkit$/, '')
    .replaceAll(/\s+/g, ' ')
    .trim();
  return text === '' ? undefined : text;
}
