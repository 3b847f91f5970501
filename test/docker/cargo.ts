import { gzipSync } from 'node:zlib';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { buildManifest, toDocument } from '../../src/oci/manifest.ts';
import { OCI_CONFIG, OCI_INDEX, OCI_LAYER } from '../../src/oci/media-types.ts';
import { entry, tar } from '../support/archives/tar-bytes.ts';
import { MemoryContent } from '../support/memory-content.ts';

/** An image that is to be loaded, with its content. */
export interface TestCargo {
  root: Descriptor;
  configDigest: Digest;
  diffIds: Digest[];
  layers: Descriptor[];
  source: MemoryContent;
}

/** What makes one image differ from another. */
export interface CargoOptions {
  /** The text in each layer's file; the same one twice is the same layer twice. Default: three layers. */
  layers?: readonly (string | Buffer)[];
  compress?: boolean;
  architecture?: string;
  labels?: Readonly<Record<string, string>>;
  /** The config names another layer than the last, whose blob is all right. Default false. */
  misnamed?: boolean;
}

/** An image with real layers: tars with one file each. */
export function makeCargo(options: CargoOptions = {}): TestCargo {
  const {
    layers = ['base', 'middle', 'top'],
    compress = true,
    architecture = 'amd64',
    misnamed = false,
    labels,
  } = options;
  const source = new MemoryContent();
  const add = (bytes: Uint8Array): void => void source.blobs.set(digestOf(bytes), bytes);
  const tars = layers.map((content) => tar(entry(`file-${layers.indexOf(content)}`, content)));
  const blobs = tars.map((bytes) => (compress ? gzipSync(bytes) : bytes));
  const diffIds = tars.map((bytes, i) =>
    misnamed && i === tars.length - 1 ? digestOf(Buffer.from('another')) : digestOf(bytes),
  );
  const configBytes = Buffer.from(
    JSON.stringify({
      architecture,
      os: 'linux',
      created: '2024-01-01T00:00:00Z',
      config: { Cmd: ['/file-0'], ...(labels && { Labels: labels }) },
      rootfs: { type: 'layers', diff_ids: diffIds },
      history: layers.map((_, i) => ({ created: '2024-01-01T00:00:00Z', created_by: `step ${i}` })),
    }),
  );
  const config = { mediaType: OCI_CONFIG, digest: digestOf(configBytes), size: configBytes.length };
  const descriptors = blobs.map((bytes) => ({
    mediaType: compress ? `${OCI_LAYER}+gzip` : OCI_LAYER,
    digest: digestOf(bytes),
    size: bytes.length,
  }));
  const manifest = buildManifest(config, descriptors);
  for (const bytes of [...blobs, configBytes, manifest.bytes]) add(bytes);
  return { root: manifest.descriptor, configDigest: config.digest, diffIds, layers: descriptors, source };
}

/** Several images under one index, as one for several platforms. The rest is of the first. */
export function makeIndexCargo(images: readonly TestCargo[], platforms: readonly string[]): TestCargo {
  const [first] = images;
  if (first === undefined) throw new Error('no image');
  const manifests = images.map(({ root }, i) => ({
    ...root,
    platform: { os: 'linux', architecture: platforms[i] },
  }));
  const index = toDocument(OCI_INDEX, JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests }));
  const source = new MemoryContent([
    ...images.flatMap((image) => [...image.source.blobs.values()]),
    index.bytes,
  ]);
  return { ...first, root: index.descriptor, source };
}
