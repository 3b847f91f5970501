import type { DockerImage } from '../../archive/docker-manifest.ts';
import { blobEntry } from '../../archive/docker-manifest.ts';
import { parseDockerManifest } from '../../archive/read/docker-manifest.ts';
import type { ContentOptions, ContentSource } from '../../content/source.ts';
import { DrayageError } from '../../errors.ts';
import { images as imagesOf } from '../../image/image.ts';
import type { Layout } from '../../layout/layout.ts';
import { readSmallFile } from '../../layout/small-file.ts';
import { DOCKER_MANIFEST_FILE } from '../../oci/layout.ts';

/**
 * Compares manifest.json, which `docker load` reads in a layout packed as a tar, with index.json: each image, with its
 * layers and each of its names, must be in index.json. It may lack some.
 * @param content where the layout's documents are read
 * @throws {@link DrayageError} `MALFORMED` if it differs; `LIMIT`, `LINK`, `IO`; errors of `content` for damaged content
 */
export async function assertDockerManifest(
  layout: Layout,
  content: ContentSource,
  options: ContentOptions,
): Promise<void> {
  const bytes = await readSmallFile(layout.path, DOCKER_MANIFEST_FILE);
  if (bytes === undefined) return;
  const indexed = await indexedImages(layout, content, options);
  const { images, unread } = parseDockerManifest(bytes);
  for (const { names, problem } of unread) throw differs(layout, `${names[0] ?? 'an image'} (${problem})`);
  for (const { config, layers, names } of images) {
    const same = indexed.filter((image) => image.config === config);
    if (same.length === 0) throw differs(layout, `the image of ${config}`);
    if (!same.some((image) => layers.join() === image.layers.join()))
      throw differs(layout, `other layers for ${config}`);
    const name = names.find((one) => !same.some((image) => image.names.includes(one)));
    if (name !== undefined) throw differs(layout, `${name} for ${config}`);
  }
}

/** The images of index.json in the terms of manifest.json. */
async function indexedImages(
  layout: Layout,
  content: ContentSource,
  options: ContentOptions,
): Promise<DockerImage[]> {
  const found: DockerImage[] = [];
  for (const { root, names } of await layout.images(options)) {
    for await (const { config, layers } of imagesOf(content, root, options)) {
      const blobs = layers.map(({ blob }) => blob);
      found.push(blobEntry(config.descriptor, blobs, names));
    }
  }
  return found;
}

function differs({ path }: Layout, what: string): DrayageError {
  const message = `${DOCKER_MANIFEST_FILE} names ${what}, which index.json does not: docker load would take what was not verified`;
  return new DrayageError('MALFORMED', message, {
    path: `${path}/${DOCKER_MANIFEST_FILE}`,
    hint: `get the layout again, or load it with drayage, which does not read ${DOCKER_MANIFEST_FILE}`,
  });
}
