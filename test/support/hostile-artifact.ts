import { gzipSync } from 'node:zlib';
import { expect } from 'vitest';
import { BASE_JOBS } from '../../src/image/annotations.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { digestHex, digestOf } from '../../src/oci/digest.ts';
import { buildManifest, toDocument } from '../../src/oci/manifest.ts';
import { OCI_MANIFEST } from '../../src/oci/media-types.ts';
import type { TestCargo } from '../docker/cargo.ts';
import { entry, tar } from './archives/tar-bytes.ts';
import type { ZipFileOptions } from './zip-bytes.ts';
import { zip } from './zip-bytes.ts';

/** Text of the attacker's layer. */
export const FOREIGN: string = 'bytes that nobody checked '.repeat(1000);

interface Entry {
  root: Descriptor;
  annotations?: Record<string, string>;
}

export const BLOB: Buffer = gzipSync(tar(entry('file-0', FOREIGN)));

/** The foreign layer, which other descriptors may call something else. */
export function foreignLayer(): Descriptor {
  return {
    mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
    digest: digestOf(BLOB),
    size: BLOB.length,
  };
}

export function first({ layers }: TestCargo): Descriptor {
  return layers[0] ?? expect.fail();
}

export function pathOf({ digest }: Descriptor): string {
  return `.drayage/1/blobs/sha256/${digestHex(digest)}`;
}

/** An image with the config of the base, whose first layer is another blob. */
export function forged(
  { layers, configDigest, source }: TestCargo,
  layer: Descriptor,
): { root: Descriptor; bytes: Uint8Array } {
  const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: configDigest };
  const size = source.blobs.get(configDigest)?.length ?? expect.fail();
  const { descriptor, bytes } = buildManifest({ ...config, size }, [layer, ...layers.slice(1)]);
  return { root: descriptor, bytes };
}

/** The base, whose manifest states more or something else about its first layer. */
export function restated(base: TestCargo, stated: Record<string, unknown>): Buffer {
  const manifest = JSON.parse(Buffer.from(forged(base, first(base)).bytes).toString()) as {
    layers: object[];
  };
  Object.assign(manifest.layers[0] ?? {}, stated);
  const { descriptor, bytes } = toDocument(OCI_MANIFEST, JSON.stringify(manifest));
  return artifact(base, { entries: [{ root: descriptor }], blobs: [bytes] });
}

export interface ArtifactOptions {
  entries?: Entry[];
  /** More blobs. */
  blobs?: Uint8Array[];
  /** How the zip lies about the base's first layer; null leaves it out. */
  layer?: Partial<ZipFileOptions> | null;
  /** More files. */
  files?: ZipFileOptions[];
  folder?: string;
}

/** The artifact of job 1: the layout of the base, with changes. */
export function artifact(base: TestCargo, options: ArtifactOptions = {}): Buffer {
  const {
    entries = [{ root: base.root }],
    blobs = [],
    layer = {},
    files = [],
    folder = '.drayage/1',
  } = options;
  const manifests = entries.map(({ root, annotations }) => ({
    ...root,
    ...(annotations && { annotations }),
  }));
  const contents: [string, Uint8Array][] = [
    ['oci-layout', Buffer.from('{"imageLayoutVersion":"1.0.0"}')],
    ['index.json', Buffer.from(JSON.stringify({ schemaVersion: 2, manifests }))],
    ...[...base.source.blobs.values(), ...blobs].map((bytes): [string, Uint8Array] => [
      `blobs/sha256/${digestHex(digestOf(bytes))}`,
      bytes,
    ]),
  ];
  const all = contents.map(([name, bytes]) => ({ path: `${folder}/${name}`, bytes }));
  const target = pathOf(first(base));
  const changed = all.flatMap((file) =>
    file.path !== target ? [file] : layer === null ? [] : [{ ...file, ...layer }],
  );
  return zip([...changed, ...files]);
}

/** The base with its first layer at another job, as its annotations state it. */
export function elsewhere(base: TestCargo, place: Record<string, string>): Buffer {
  const forgery = forged(base, foreignLayer());
  const blobs = [foreignLayer().digest];
  const text = JSON.stringify([{ project: '12', job: '1', path: 'images', ...place, blobs }]);
  const annotations = { [BASE_JOBS]: text };
  const bytes = Buffer.from('{"imageLayoutVersion":"1.0.0"}');
  const files = [
    { path: 'images/oci-layout', bytes },
    { path: 'images/index.json', bytes: Buffer.from('{"schemaVersion":2,"manifests":[]}') },
    { path: `images/blobs/sha256/${digestHex(digestOf(BLOB))}`, bytes: BLOB },
  ];
  return artifact(base, {
    entries: [{ root: forgery.root, annotations }],
    blobs: [forgery.bytes],
    layer: null,
    files,
  });
}
