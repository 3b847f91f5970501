import type { ContentOptions, ContentSource } from '../content/source.ts';
import { DrayageError, isDrayageError, isUnusable } from '../errors.ts';
import { walk } from './contents.ts';
import { isImageManifest } from './documents.ts';
import type { Layer } from './layer.ts';
import { assertLayer } from './layer-type.ts';
import type { ImageConfig } from '../oci/config.ts';
import { configPlatform, parseConfig } from '../oci/config.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Manifest, ParsedDocument } from '../oci/manifest.ts';
import { pairLayers } from '../oci/manifest.ts';
import { isManifestType } from '../oci/media-types.ts';
import type { Platform, PlatformOption } from '../oci/platform.ts';
import { formatPlatform, matchesPlatform } from '../oci/platform.ts';
import { readDocument } from '../stream/document.ts';

/** One image for one platform: its documents, and each layer's diffID with its blob. */
export interface Image {
  manifest: ParsedDocument<Manifest>;
  config: ParsedDocument<ImageConfig>;
  layers: Layer[];
}

/** Options of {@link readImage}. */
export interface ReadImageOptions extends ContentOptions, PlatformOption {
  /**
   * Takes the image for this platform, if there are several; an only image is taken for any platform. Default: the
   * first.
   */
  prefer?: Platform | undefined;
}

/**
 * Reads the documents of one image, each checked against its digest.
 * @param root a manifest, or an index that contains the image for `platform`
 * @throws {@link DrayageError} `NOT_FOUND` if there is none for the platform; `MALFORMED`; `UNSUPPORTED` if the root is
 * not an image; errors of `source` for damaged content
 */
export async function readImage(
  source: ContentSource,
  root: Descriptor,
  options: ReadImageOptions = {},
): Promise<Image> {
  const candidates: Image[] = [];
  const wanted = options.platform ?? options.prefer;
  for await (const image of images(source, root, options)) {
    if (wanted === undefined || matchesPlatform(wanted, configPlatform(image.config.value))) return image;
    candidates.push(image);
  }
  const [only, ...others] = candidates;
  if (options.platform === undefined && only !== undefined && others.length === 0) return only;
  throw noImage(root, candidates, wanted);
}

/** All images below a root whose manifest is present, in the order of the index. Attestations are skipped. */
export async function* images(
  source: ContentSource,
  root: Descriptor,
  options: ContentOptions = {},
): AsyncGenerator<Image, void, undefined> {
  for await (const node of walk(source, root, options)) {
    if (node.kind === 'manifest' && isImageManifest(node.document))
      yield await readConfig(source, node.document, options);
  }
}

/** Whether `error` says that an image cannot be read, whatever the way to it: then it holds and claims nothing. */
export function isUnreadable(error: unknown): boolean {
  return isUnusable(error) || isDrayageError(error, 'LIMIT');
}

/** Reads and checks the config that a manifest names. */
export async function readConfig(
  source: ContentSource,
  manifest: ParsedDocument<Manifest>,
  options: ContentOptions,
): Promise<Image> {
  for (const layer of manifest.value.layers) assertLayer(layer);
  const descriptor = manifest.value.config;
  const bytes = await readDocument(await source.open(descriptor, options), descriptor);
  const value = parseConfig(bytes, `config ${descriptor.digest}`);
  return {
    manifest,
    config: { descriptor, bytes, value },
    layers: pairLayers(manifest.value, value.rootfs.diff_ids, manifest.descriptor.digest),
  };
}

/**
 * An image's root as an index lists it: a manifest with the platform that its config states, because one name may stand
 * for an image of each platform.
 */
export function withPlatform(root: Descriptor, config: ImageConfig): Descriptor {
  const platform = configPlatform(config);
  const isStated = platform.os !== '' && platform.architecture !== '';
  return isStated && isManifestType(root.mediaType) ? { ...root, platform } : root;
}

/**
 * The error for a root without an image, or only with images for other platforms.
 * @param name what the error calls the root
 */
export function noImage(
  { digest }: Descriptor,
  candidates: readonly Image[],
  platform: Platform | undefined,
  name: string = digest,
): DrayageError {
  const found = candidates.map((image) => formatPlatform(configPlatform(image.config.value)));
  if (platform === undefined || found.length === 0)
    return new DrayageError('UNSUPPORTED', `${name} contains no image`, { digest });
  const message = `${name} contains no image for ${formatPlatform(platform)}, only for ${found.join(', ')}`;
  return new DrayageError('NOT_FOUND', message, { digest, candidates: found });
}
