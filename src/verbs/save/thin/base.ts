import type { ContentOptions, ContentSource } from '../../../content/source.ts';
import type { JobPlace } from '../../../image/base-jobs.ts';
import type { Layer } from '../../../image/layer.ts';

/** A place of layers that an image may omit: another layout, or an image in a registry. The ledger knows its pairs. */
export interface Base {
  /** Where to read the blobs, if they are needed after all. */
  readonly source: ContentSource;
  /** Whether it has the layer as this blob. */
  holds(layer: Layer, options?: ContentOptions): Promise<boolean>;
  /** The annotations of an image that omits these layers: where they are, unless the base has them itself. */
  annotationsFor(omitted: readonly Layer[]): Record<string, string>;
  /** The job whose artifact has the layer, if a reader finds it there. */
  jobOf?(layer: Layer): JobPlace | undefined;
}

/** The first base that holds a layer, and which of the layers that is. */
export async function findInBases(
  bases: readonly Base[],
  layers: readonly Layer[],
  options?: ContentOptions,
): Promise<{ base: Base; layer: Layer } | undefined> {
  for (const base of bases)
    for (const layer of layers) if (await base.holds(layer, options)) return { base, layer };
  return undefined;
}
