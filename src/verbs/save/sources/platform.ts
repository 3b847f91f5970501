import type { ArchiveImages } from '../../../archive/read/read.ts';
import { DrayageError, isDrayageError } from '../../../errors.ts';
import { readImage } from '../../../image/image.ts';
import { ORIGINAL_INDEX } from '../../../image/annotations.ts';
import { bareDescriptor } from '../../../oci/descriptor.ts';
import type { Platform } from '../../../oci/platform.ts';
import { formatPlatform } from '../../../oci/platform.ts';
import type { ArrivedImage } from '../../../content/arrived-image.ts';
import type { SourceOptions } from './source.ts';
import { savedLayer } from '../../../content/layer.ts';

/**
 * Of images that have arrived, those for the platform that is asked for; all where none is. Out of an index comes the
 * manifest.
 * @throws {@link DrayageError} `NOT_FOUND` with the platforms that there are, where an image is for others only
 */
export async function forPlatform(
  { images, layers }: ArchiveImages,
  options: Pick<SourceOptions, 'content' | 'platform' | 'signal'>,
): Promise<ArrivedImage[]> {
  const { platform } = options;
  if (platform === undefined) return images;
  const fitting: ArrivedImage[] = [];
  const others: { names: string[]; candidates: string[] }[] = [];
  for (const image of images) {
    try {
      fitting.push(await onlyPlatform(image, layers, platform, options));
    } catch (error) {
      if (!isDrayageError(error, 'NOT_FOUND')) throw error;
      others.push({ names: image.names, candidates: error.facts.candidates ?? [] });
    }
  }
  const found = new Set(fitting.flatMap(({ names }) => names));
  const missed = others.filter(({ names }) => !names.some((name) => found.has(name)));
  if (missed.length === 0) return fitting;
  const [name = 'the image'] = missed.flatMap(({ names }) => names);
  throw notForPlatform(
    name,
    platform,
    missed.flatMap(({ candidates }) => candidates),
  );
}

/** The error for an image that is for other platforms. */
export function notForPlatform(name: string, platform: Platform, platforms: readonly string[]): DrayageError {
  const candidates = [...new Set(platforms)];
  const hint =
    candidates.length > 0 ? `it is there for ${candidates.join(', ')}` : 'get it for that platform first';
  const message = `${name} is not there for ${formatPlatform(platform)}`;
  return new DrayageError('NOT_FOUND', message, { candidates, hint });
}

async function onlyPlatform(
  image: ArrivedImage,
  passed: ArchiveImages['layers'],
  platform: Platform,
  { content, signal }: Pick<SourceOptions, 'content' | 'signal'>,
): Promise<ArrivedImage> {
  const { manifest, config, layers } = await readImage(content, image.root, { platform, signal });
  if (manifest.descriptor.digest === image.root.digest) return image;
  const known = new Map([...passed, ...image.layers.map((layer) => [layer.diffId, layer] as const)]);
  return {
    ...image,
    root: bareDescriptor(manifest.descriptor),
    id: config.descriptor.digest,
    annotations: { [ORIGINAL_INDEX]: image.root.digest, ...image.annotations },
    layers: layers.map(({ diffId, blob }) => {
      const { uncompressedSize = null, status = 'written' } = known.get(diffId) ?? {};
      return savedLayer(blob, { diffId, uncompressedSize, status });
    }),
  };
}
