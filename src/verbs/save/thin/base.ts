import type { ContentOptions, ContentSource } from '../../../content/source.ts';
import type { Layer } from '../../../image/layer.ts';

/** Where layers are that an image may omit: another layout, or an image in a registry. The ledger knows its pairs. */
export interface Base {
  /** Where the blobs are read, should they be needed after all. */
  readonly source: ContentSource;
  /** Whether the layer can be had there as this blob. */
  holds(layer: Layer, options?: ContentOptions): Promise<boolean>;
  /** What is said of an image that omits these layers: where they are, unless they are simply there. */
  annotationsFor(omitted: readonly Layer[]): Record<string, string>;
}

/** The first of the bases that holds a layer, and which of the layers that is. */
export async function findInBases(
  bases: readonly Base[],
  layers: readonly Layer[],
  options?: ContentOptions,
): Promise<{ base: Base; layer: Layer } | undefined> {
  for (const base of bases)
    for (const layer of layers) if (await base.holds(layer, options)) return { base, layer };
  return undefined;
}
