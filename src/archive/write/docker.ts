import type { Readable } from 'node:stream';
import type { ContentSource } from '../../content/source.ts';
import type { Image } from '../../image/image.ts';
import type { Layer } from '../../image/layer.ts';
import { fetchAhead } from '../../image/fetch-ahead.ts';
import { prepareLayer } from '../../image/layer.ts';
import type { Digest } from '../../oci/digest.ts';
import { digestHex } from '../../oci/digest.ts';
import { formatDockerManifest } from '../docker-manifest.ts';
import { oneAhead } from '../../stream/one-ahead.ts';
import type { OutgoingEntry } from '../tar/write.ts';
import type { BlobArchiveOptions } from './options.ts';
import { smallEntry, writeTar } from '../tar/write.ts';
import { DOCKER_MANIFEST_FILE } from '../../oci/layout.ts';

/** An image to write, and its names in the archive. */
export interface TaggedImage {
  image: Pick<Image, 'config' | 'layers'>;
  /** References with their tags, as docker shows them. */
  names: readonly string[];
  /** Where its layers are read. Default: the source of all images. */
  source?: ContentSource | undefined;
}

/** Options of {@link writeDockerArchive}. */
export interface WriteDockerOptions extends BlobArchiveOptions {
  /** DiffIDs of layers to leave out; manifest.json names them all the same. */
  omit?: ReadonlySet<Digest> | undefined;
  /** Whether the reader refuses layers that do not have their diffIDs. Default false. */
  receiverChecks?: boolean | undefined;
}

/**
 * Writes images in the form of `docker save` up to version 24, which every daemon and tool reads: manifest.json over
 * uncompressed layers, named by their diffIDs. A layer that several images share is written once. Equal images make equal
 * bytes, however their layers are compressed.
 *
 * A layer's blob is read twice: before its first byte goes out its digest and its size are verified, while the layer before
 * it is on its way; its diffID is verified while it goes out, here or by the reader. After a failure the stream never ends cleanly, so that whoever
 * reads it sees that it was cut.
 * @throws {@link DrayageError} from the stream: `DIGEST_MISMATCH`, `SIZE_MISMATCH`, `NOT_FOUND` and whatever else `source` says
 */
export function writeDockerArchive(
  images: readonly TaggedImage[],
  source: ContentSource,
  options: WriteDockerOptions = {},
): Readable {
  return writeTar((signal) => dockerEntries(images, source, { ...options, signal }), options);
}

/** The layers of an archive of these images: each diffID once, however many blobs it has. */
export function layersOf(images: readonly Pick<TaggedImage, 'image'>[]): Layer[] {
  const layers = images.flatMap(({ image }) => image.layers);
  return [...new Map(layers.map((layer) => [layer.diffId, layer])).values()];
}

async function* dockerEntries(
  images: readonly TaggedImage[],
  source: ContentSource,
  { omit, signal, receiverChecks, onBlob }: WriteDockerOptions,
): AsyncGenerator<OutgoingEntry, void, undefined> {
  yield smallEntry(DOCKER_MANIFEST_FILE, manifestOf(images));
  for (const [name, bytes] of new Map(images.map(({ image }) => [configName(image), image.config.bytes]))) {
    yield smallEntry(name, bytes);
  }
  const wanted = layersOf(images).filter(({ diffId }) => omit?.has(diffId) !== true);
  // The last image that has a layer says which blob it is, as in the list.
  const sources = new Map(
    images.flatMap(({ image, source: own = source }) => image.layers.map(({ diffId }) => [diffId, own])),
  );
  const near = fetchAhead(
    wanted.map((layer) => ({ layer, blob: layer.blob, source: sources.get(layer.diffId) ?? source })),
    { signal, diffIdChecked: true },
  );
  yield* oneAhead(near, async ({ layer, source: from }) => ({
    name: layerName(layer),
    onWritten: () => onBlob?.(layer.blob),
    ...(await prepareLayer(from, layer, { signal, receiverChecks })),
  }));
}

function manifestOf(images: readonly TaggedImage[]): Uint8Array {
  return formatDockerManifest(
    images.map(({ image, names }) => ({
      config: configName(image),
      names: [...names],
      layers: image.layers.map(layerName),
    })),
  );
}

function configName({ config }: Pick<Image, 'config'>): string {
  return `${digestHex(config.descriptor.digest)}.json`;
}

function layerName({ diffId }: Layer): string {
  return `${digestHex(diffId)}.tar`;
}
