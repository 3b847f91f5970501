import { gzipSync } from 'node:zlib';
import type { StoreTransaction } from '../../src/content/store.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { buildManifest, toDocument } from '../../src/oci/manifest.ts';
import { OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST } from '../../src/oci/media-types.ts';
import { chunksOf, describeBytes } from '../contract/content.ts';
import { MemoryContent } from '../support/memory-content.ts';

/** An image in memory: its root, and every blob that it reaches. */
export interface SampleImage {
  root: Descriptor;
  config: Descriptor;
  layers: Descriptor[];
  diffIds: Digest[];
  blobs: [Descriptor, Uint8Array][];
}

/** An image of layers that hold these texts; the same texts give the same blobs. */
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
  const configBytes = Buffer.from(
    JSON.stringify({ architecture, os: 'linux', rootfs: { type: 'layers', diff_ids: diffIds } }),
  );
  const config = describeBytes(configBytes, OCI_CONFIG);
  const descriptors = layers.map(([descriptor]) => descriptor);
  const manifest = buildManifest(config, descriptors);
  const blobs: SampleImage['blobs'] = [
    ...layers,
    [config, configBytes],
    [manifest.descriptor, manifest.bytes],
  ];
  return { root: manifest.descriptor, config, layers: descriptors, diffIds, blobs };
}

/** An index over images; `config` and `layers` are those of the first. */
export function sampleIndex(images: readonly SampleImage[], extra: readonly Descriptor[] = []): SampleImage {
  const manifests = [...images.map(({ root }) => root), ...extra];
  const index = toDocument(OCI_INDEX, JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests }));
  const [first] = images;
  if (first === undefined) throw new Error('an index of no image');
  return {
    ...first,
    root: index.descriptor,
    blobs: [...images.flatMap((image) => image.blobs), [index.descriptor, index.bytes]],
  };
}

/** A signature: an artifact whose subject is something else. */
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

/** An image of one layer that is not to be distributed. */
export function withForeignLayer(urls?: string[]): SampleImage {
  const { config, blobs, layers, ...image } = sampleImage(['foreign']);
  const mediaType = 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip';
  const foreign = layers.map((layer) => ({ ...layer, mediaType, urls }));
  const { descriptor: root, bytes } = toDocument(
    OCI_MANIFEST,
    JSON.stringify({ schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: foreign }),
  );
  return { ...image, root, config, layers: foreign, blobs: [...blobs.slice(0, -1), [root, bytes]] };
}

/** An attestation as buildx makes it: an artifact for unknown/unknown. */
export function sampleAttestation(of: SampleImage): SampleImage {
  const made = sampleReferrer(of.root, 'attestation');
  return { ...made, root: { ...made.root, platform: { os: 'unknown', architecture: 'unknown' } } };
}

/** The content of these, without some of it. */
export function contentOf(
  samples: readonly SampleImage[],
  without: readonly Descriptor[] = [],
): MemoryContent {
  const absent = new Set(without.map(({ digest }) => digest));
  const blobs = samples.flatMap((sample) => sample.blobs).filter(([{ digest }]) => !absent.has(digest));
  return new MemoryContent(blobs.map(([, bytes]) => bytes));
}

/** Stages an image and adds it. */
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
