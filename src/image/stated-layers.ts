import type { ContentOptions, ContentSource } from '../content/source.ts';
import type { ImageContents } from './contents.ts';
import { layeredManifests } from './documents.ts';
import { readConfig } from './image.ts';
import type { Layer } from './layer.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { parseIfJson } from '../oci/json.ts';
import type { Manifest, ParsedDocument } from '../oci/manifest.ts';
import { isConfigType } from '../oci/media-types.ts';
import { foldKey } from '../oci/keys.ts';
import { isObject } from '../oci/parse.ts';
import { readDocument } from '../stream/document.ts';

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
    layers.push(...(await layersOf(source, manifest, options)));
  return layers;
}

/**
 * The layers that a manifest's config states. A config of another media type states them if it has a `rootfs`: then programs
 * run the image all the same.
 * @throws {@link DrayageError} as {@link statedLayers}; `LIMIT` for a config that is too large to be read
 */
export async function layersOf(
  source: ContentSource,
  manifest: ParsedDocument<Manifest>,
  options: ContentOptions = {},
): Promise<Layer[]> {
  const { config } = manifest.value;
  const isImage = isConfigType(config.mediaType) || (await hasRootfs(source, config, options));
  return isImage ? (await readConfig(source, manifest, options)).layers : [];
}

async function hasRootfs(
  source: ContentSource,
  config: Descriptor,
  options: ContentOptions,
): Promise<boolean> {
  const bytes = await readDocument(await source.open(config, options), config);
  const value = parseIfJson(bytes, `config ${config.digest}`);
  return isObject(value) && Object.keys(value).some((key) => foldKey(key) === 'rootfs');
}
