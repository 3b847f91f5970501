import type { DockerImage } from '../archive/docker-manifest.ts';
import { blobEntry, formatDockerManifest } from '../archive/docker-manifest.ts';
import type { ContentOptions, ContentSource } from '../content/source.ts';
import { isAbsentOrDamaged, isDrayageError } from '../errors.ts';
import { statedOmission } from '../image/omitted-layers.ts';
import type { Image } from '../image/image.ts';
import { images } from '../image/image.ts';
import { assertReadable } from '../image/layer-type.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { listImages } from '../listing/entries.ts';

/**
 * Derives manifest.json, in the form of `docker save`, from the entries of index.json: one item for each image config.
 * The names of a multi-platform image go to the first of its images that is present, because docker keeps one image for
 * a name.
 * @returns the file's bytes; undefined if there is no image, or if an image lacks a layer or is unreadable: docker
 * would refuse the whole file
 */
export async function dockerManifest(
  source: ContentSource,
  entries: readonly Descriptor[],
  options: ContentOptions = {},
): Promise<Buffer | undefined> {
  const items = new Map<Digest, DockerImage>();
  const taken = new Set<string>();
  for (const { root, names, annotations } of listImages(entries)) {
    if (statedOmission(annotations) !== undefined) return undefined;
    const found = await completeImages(source, root, options);
    if (found === undefined) return undefined;
    for (const image of found) {
      const { descriptor: config } = image.config;
      const blobs = image.layers.map(({ blob }) => blob);
      const item = items.get(config.digest) ?? blobEntry(config, blobs, []);
      items.set(config.digest, item);
      const free = names.filter((name) => !taken.has(name));
      free.forEach((name) => taken.add(name));
      item.names.push(...free);
    }
  }
  return items.size === 0 ? undefined : formatDockerManifest([...items.values()]);
}

/** The images of a root with all of their layers; undefined if something is missing or damaged. */
async function completeImages(
  source: ContentSource,
  root: Descriptor,
  options: ContentOptions,
): Promise<Image[] | undefined> {
  const found: Image[] = [];
  try {
    for await (const image of images(source, root, options)) {
      for (const { blob } of image.layers) {
        assertReadable(blob);
        if (!(await source.has(blob, options))) return undefined;
      }
      found.push(image);
    }
    return found;
  } catch (error) {
    // docker does not load this kind of image, but it can load the others.
    if (isDrayageError(error, 'UNSUPPORTED')) return [];
    if (isAbsentOrDamaged(error) || isDrayageError(error, 'LIMIT')) return undefined;
    throw error;
  }
}
