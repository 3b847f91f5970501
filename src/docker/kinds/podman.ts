import type { ContentOptions } from '../../content/source.ts';
import { isDrayageError } from '../../errors.ts';
import type { Digest } from '../../oci/digest.ts';
import { graphStore } from './graph.ts';
import type { Images } from '../images/images.ts';
import { writeSparseArchive } from './podman-archive.ts';
import type { ImageToLoad, Held, Store } from './store.ts';
import { heldNothing } from './store.ts';

/** How many images are inspected at a time. */
const AT_ONCE = 8;

/**
 * Podman's store, which identifies images as docker's own does. A name in an archive becomes `localhost/<name>` there,
 * which docker clients do not always mean. So images are loaded without a name and get their names through the API. The
 * API moves a name of `localhost/` if there is one, and sets docker's otherwise.
 */
export const podmanStore: Store = {
  ...graphStore,
  kind: 'podman',
  isOf: ({ header }) =>
    header('libpod-api-version') !== undefined || header('server')?.startsWith('Libpod') === true,
  ownDomain: 'localhost',
  stagedName: () => undefined,
  probe: async ({ images }, toLoad, _name, options) => probeImages(images, toLoad, options),
  archive: (toLoad, content, options) =>
    content.omit.size > 0
      ? writeSparseArchive(toLoad, content.omit, options)
      : graphStore.archive(toLoad, content, options),
};

/** Podman takes a layer from any image that has it, whatever is below it: all layers of its images count. */
async function probeImages(images: Images, toLoad: ImageToLoad, options: ContentOptions): Promise<Held> {
  const wanted = new Set(toLoad.image.layers.map(({ diffId }) => diffId));
  const found = new Set<Digest>();
  const ids = (await images.list({ ...options, all: true })).map(({ id }) => id);
  for (let i = 0; i < ids.length && found.size < wanted.size; i += AT_ONCE) {
    const lists = await Promise.all(
      ids.slice(i, i + AT_ONCE).map(async (id) => diffIdsOf(images, id, options)),
    );
    for (const diffId of lists.flat()) if (wanted.has(diffId)) found.add(diffId);
  }
  const layers = toLoad.image.layers.map(({ diffId }) => found.has(diffId));
  return { ...heldNothing(toLoad), layers, omit: found };
}

/** No layers for an image that has just gone, or that podman itself cannot read. */
async function diffIdsOf(images: Images, id: Digest, options: ContentOptions): Promise<readonly Digest[]> {
  try {
    return (await images.find(id, options))?.diffIds ?? [];
  } catch (error) {
    if (isDrayageError(error, 'DAEMON')) return [];
    throw error;
  }
}
