import { gzipSync } from 'node:zlib';
import type { StoreTransaction } from '../content/store.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { digestOf } from '../oci/digest.ts';
import { buildConfig, buildManifest, toDocument } from '../oci/manifest.ts';
import { OCI_INDEX, OCI_LAYER, OCI_MANIFEST } from '../oci/media-types.ts';

/** An image in memory: its root, and every blob that it leads to. */
export interface SampleImage {
  root: Descriptor;
  config: Descriptor;
  layers: Descriptor[];
  diffIds: Digest[];
  blobs: [Descriptor, Uint8Array][];
}

/** Names bytes. */
export function describeBytes(bytes: Uint8Array, mediaType = 'application/octet-stream'): Descriptor {
  return { mediaType, digest: digestOf(bytes), size: bytes.length };
}

/** Bytes in two chunks. */
export async function* chunksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  const half = bytes.length >> 1;
  yield bytes.subarray(0, half);
  yield bytes.subarray(half);
}

/** An image of layers that contain these texts. The same texts give the same blobs. */
export function sampleImage(texts: readonly string[], architecture = 'amd64'): SampleImage {
  const layers = texts.map((text): [Digest, Buffer] => {
    const content = Buffer.from(`layer ${text}`);
    return [digestOf(content), gzipSync(content)];
  });
  return imageOf(layers, architecture);
}

/** An image of these layers: each with the diffID that its config states, and its blob. */
export function imageOf(content: readonly [Digest, Uint8Array][], architecture = 'amd64'): SampleImage {
  const layers = content.map(([, bytes]): [Descriptor, Uint8Array] => [
    describeBytes(bytes, `${OCI_LAYER}+gzip`),
    bytes,
  ]);
  const diffIds = content.map(([diffId]) => diffId);
  const rootfs = { type: 'layers', diff_ids: diffIds };
  const { descriptor: config, bytes: configBytes } = buildConfig({ architecture, os: 'linux', rootfs });
  const descriptors = layers.map(([descriptor]) => descriptor);
  const manifest = buildManifest(config, descriptors);
  const blobs: SampleImage['blobs'] = [
    ...layers,
    [config, configBytes],
    [manifest.descriptor, manifest.bytes],
  ];
  return { root: manifest.descriptor, config, layers: descriptors, diffIds, blobs };
}

/** An index over images. `config` and `layers` are those of the first. */
export function sampleIndex(images: readonly SampleImage[], extra: readonly Descriptor[] = []): SampleImage {
  const manifests = [...images.map(({ root }) => root), ...extra];
  const index = toDocument(OCI_INDEX, JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests }));
  const [first] = images;
  if (first === undefined) throw new TypeError('an index needs an image');
  return {
    ...first,
    root: index.descriptor,
    blobs: [...images.flatMap((image) => image.blobs), [index.descriptor, index.bytes]],
  };
}

/** An artifact that refers to something else by `subject`, as a signature does. */
export function sampleReferrer(subject: Descriptor, text = 'signature'): SampleImage {
  const config = Buffer.from('{}');
  const layer = Buffer.from(text);
  const artifactType = 'application/vnd.example.signature';
  const empty = describeBytes(config, 'application/vnd.oci.empty.v1+json');
  const content = describeBytes(layer, 'text/plain');
  const manifest = toDocument(
    OCI_MANIFEST,
    JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      artifactType,
      config: empty,
      layers: [content],
      subject,
      annotations: { note: text },
    }),
  );
  return {
    root: manifest.descriptor,
    config: empty,
    layers: [content],
    diffIds: [],
    blobs: [
      [empty, config],
      [content, layer],
      [manifest.descriptor, manifest.bytes],
    ],
  };
}

/**
 * Writes an image into a store, and adds it.
 * @param without blobs that are left out
 */
export async function addSample(
  transaction: StoreTransaction,
  image: SampleImage,
  names: readonly string[] = [],
  annotations: Record<string, string> = {},
  without: readonly Descriptor[] = [],
): Promise<void> {
  const absent = new Set(without.map(({ digest }) => digest));
  for (const [descriptor, bytes] of image.blobs) {
    if (!absent.has(descriptor.digest)) await transaction.put(descriptor, chunksOf(bytes));
  }
  transaction.add(image.root, names, annotations);
}
