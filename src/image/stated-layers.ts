import type { ContentOptions, ContentSource } from '../content/source.ts';
import type { ImageContents } from './contents.ts';
import { layeredManifests } from './documents.ts';
import { readConfig } from './image.ts';
import type { Layer } from './layer.ts';

/**
 * The layers that the configs below a root state: those that a blob must be proven to contain before it is passed on.
 * @throws {@link DrayageError} `MALFORMED`, `UNSUPPORTED`; `NOT_FOUND` for an absent config
 */
export async function statedLayers(
  source: ContentSource,
  { documents }: Pick<ImageContents, 'documents'>,
  options: ContentOptions = {},
): Promise<Layer[]> {
  const layers: Layer[] = [];
  for (const manifest of layeredManifests(documents))
    layers.push(...(await readConfig(source, manifest, options)).layers);
  return layers;
}
