import type { Readable } from 'node:stream';
import { blobName } from '../archive/read/contents.ts';
import { oneAhead } from '../stream/one-ahead.ts';
import type { OutgoingEntry } from '../archive/tar/write.ts';
import { smallEntry, writeTar } from '../archive/tar/write.ts';
import type { ContentOptions } from '../content/source.ts';
import type { Layer } from '../image/layer.ts';
import { prepareLayer } from '../image/layer.ts';
import type { Digest } from '../oci/digest.ts';
import { buildManifest } from '../oci/manifest.ts';
import { OCI_INDEX, ociLayerType } from '../oci/media-types.ts';
import type { Cargo } from './store.ts';

/**
 * Writes an image without some of its layers, in the one form that podman accepts: an OCI layout. Its blobs are the
 * uncompressed layers, because podman finds the layers it has by their diffIDs. Podman keeps the archive until it is
 * complete, so the manifest, which needs the sizes, can come last.
 *
 * A layer's blob is verified before its first byte is sent. After a failure the stream never ends cleanly.
 * @param omit diffIDs of the layers to omit
 */
export function writeSparseArchive(
  cargo: Cargo,
  omit: ReadonlySet<Digest>,
  options: ContentOptions,
): Readable {
  return writeTar((signal) => sparseEntries(cargo, omit, { signal }), options);
}

async function* sparseEntries(
  { image, source }: Cargo,
  omit: ReadonlySet<Digest>,
  options: ContentOptions,
): AsyncGenerator<OutgoingEntry, void, undefined> {
  const { descriptor, bytes } = image.config;
  yield smallEntry('oci-layout', Buffer.from('{"imageLayoutVersion":"1.0.0"}'));
  yield smallEntry(blobName(descriptor.digest), bytes);
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
    descriptor,
    image.layers.map(({ diffId }) => ({
      mediaType: ociLayerType('none'),
      digest: diffId,
      size: sizes.get(diffId) ?? 0,
    })),
  );
  const index = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [manifest.descriptor] };
  yield smallEntry(blobName(manifest.descriptor.digest), manifest.bytes);
  yield smallEntry('index.json', Buffer.from(JSON.stringify(index)));
}
