import type { OutgoingEntry } from '../../archive/tar/write.ts';
import { smallEntry, writeTar } from '../../archive/tar/write.ts';
import { documentEntries } from '../../archive/write/layout-entries.ts';
import type { BlobArchiveOptions } from '../../archive/write/options.ts';
import type { ContentOptions } from '../../content/source.ts';
import { isDrayageError } from '../../errors.ts';
import type { Layer } from '../../image/layer.ts';
import { fetchAhead } from '../../image/fetch-ahead.ts';
import { prepareLayer } from '../../image/layer.ts';
import type { Digest } from '../../oci/digest.ts';
import { buildIndex } from '../../oci/image-index.ts';
import { blobName, INDEX_FILE, LAYOUT_BYTES, LAYOUT_FILE } from '../../oci/layout.ts';
import { buildManifest } from '../../oci/manifest.ts';
import { ociLayerType } from '../../oci/media-types.ts';
import { oneAhead } from '../../stream/one-ahead.ts';
import type { Images } from '../images/images.ts';
import { graphStore } from './graph.ts';
import type { ImageToLoad, Held, Store } from './store.ts';
import { heldNothing } from './store.ts';
import type { Readable } from 'node:stream';

/** How many images are inspected at a time. */
const AT_ONCE = 8;

/**
 * Podman's store, which identifies images as docker's own does. A name in an archive becomes `localhost/<name>` there,
 * which docker clients do not always mean. So images are loaded without a name and get their names through the API. The
 * API moves a name of `localhost/` if there is one, and sets docker's otherwise.
 */
export const podmanStore: Store<'podman'> = {
  ...graphStore,
  kind: 'podman',
  title: "podman's service",
  isOf: ({ header }) =>
    header('libpod-api-version') !== undefined || header('server')?.startsWith('Libpod') === true,
  ownDomain: 'localhost',
  // It makes up an ID for each answer.
  hasIdentity: false,
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

/**
 * Writes an image without some of its layers, in the one form that podman accepts: an OCI layout. Its blobs are the
 * uncompressed layers, because podman finds the layers it has by their diffIDs. Podman keeps the archive until it is
 * complete, so the manifest, which needs the sizes, can come last.
 *
 * A layer's blob is verified before its first byte is sent. After a failure the stream never ends cleanly.
 * @param omit diffIDs of the layers to omit
 */
function writeSparseArchive(
  toLoad: ImageToLoad,
  omit: ReadonlySet<Digest>,
  options: BlobArchiveOptions,
): Readable {
  return writeTar((signal) => sparseEntries(toLoad, omit, { ...options, signal }), options);
}

async function* sparseEntries(
  { image, source }: ImageToLoad,
  omit: ReadonlySet<Digest>,
  { signal, onBlob }: BlobArchiveOptions,
): AsyncGenerator<OutgoingEntry, void, undefined> {
  yield smallEntry(LAYOUT_FILE, LAYOUT_BYTES);
  yield* documentEntries([image.config]);
  const sizes = new Map<Digest, number>();
  const layers = new Map<Digest, Layer>(image.layers.map((layer) => [layer.diffId, layer]));
  const sent = [...layers.values()].filter(({ diffId }) => !omit.has(diffId));
  const near = fetchAhead(
    sent.map((layer) => ({ layer, blob: layer.blob, source })),
    { signal, diffIdChecked: true },
  );
  yield* oneAhead(near, async ({ layer, source: from }) => {
    const prepared = await prepareLayer(from, layer, { signal, receiverChecks: true });
    sizes.set(layer.diffId, prepared.size);
    return { name: blobName(layer.diffId), ...prepared, onWritten: () => onBlob?.(layer.blob) };
  });
  // For a layer that it has, podman uses its own size.
  const manifest = buildManifest(
    image.config.descriptor,
    image.layers.map(({ diffId }) => ({
      mediaType: ociLayerType('none'),
      digest: diffId,
      size: sizes.get(diffId) ?? 0,
    })),
  );
  yield* documentEntries([manifest]);
  yield smallEntry(INDEX_FILE, buildIndex([manifest.descriptor]).bytes);
}
