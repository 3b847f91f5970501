import type { Readable } from 'node:stream';
import { oneAhead } from '../../stream/one-ahead.ts';
import type { OutgoingEntry } from '../../archive/tar/write.ts';
import { smallEntry, writeTar } from '../../archive/tar/write.ts';
import type { ContentOptions } from '../../content/source.ts';
import type { Layer } from '../../image/layer.ts';
import { prepareLayer } from '../../image/layer.ts';
import type { Digest } from '../../oci/digest.ts';
import { buildManifest } from '../../oci/manifest.ts';
import { ociLayerType } from '../../oci/media-types.ts';
import type { ImageToLoad } from './store.ts';
import { blobName, INDEX_FILE, LAYOUT_BYTES, LAYOUT_FILE } from '../../oci/layout.ts';
import { documentEntries } from '../../archive/write/layout-entries.ts';
import { buildIndex } from '../../oci/image-index.ts';

/**
 * Writes an image without some of its layers, in the one form that podman accepts: an OCI layout. Its blobs are the
 * uncompressed layers, because podman finds the layers it has by their diffIDs. Podman keeps the archive until it is
 * complete, so the manifest, which needs the sizes, can come last.
 *
 * A layer's blob is verified before its first byte is sent. After a failure the stream never ends cleanly.
 * @param omit diffIDs of the layers to omit
 */
export function writeSparseArchive(
  toLoad: ImageToLoad,
  omit: ReadonlySet<Digest>,
  options: ContentOptions,
): Readable {
  return writeTar((signal) => sparseEntries(toLoad, omit, { signal }), options);
}

async function* sparseEntries(
  { image, source }: ImageToLoad,
  omit: ReadonlySet<Digest>,
  options: ContentOptions,
): AsyncGenerator<OutgoingEntry, void, undefined> {
  yield smallEntry(LAYOUT_FILE, LAYOUT_BYTES);
  yield* documentEntries([image.config]);
  const sizes = new Map<Digest, number>();
  const layers = new Map<Digest, Layer>(image.layers.map((layer) => [layer.diffId, layer]));
  const sent = [...layers.values()].filter(({ diffId }) => !omit.has(diffId));
  yield* oneAhead(sent, async (layer) => {
    const prepared = await prepareLayer(source, layer, { ...options, receiverChecks: true });
    sizes.set(layer.diffId, prepared.size);
    return { name: blobName(layer.diffId), ...prepared };
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
