import { gzipSync } from 'node:zlib';
import { expect } from 'vitest';
import { BASE_JOBS, OMITTED_LAYERS } from '../../src/image/annotations.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { digestHex, digestOf } from '../../src/oci/digest.ts';
import { buildManifest } from '../../src/oci/manifest.ts';
import type { TestCargo } from '../docker/cargo.ts';
import { entry, tar } from './archives/tar-bytes.ts';
import type { Fault } from './fake-gitlab.ts';
import type { ZipFileOptions } from './zip-bytes.ts';
import { zip } from './zip-bytes.ts';

/** Text in every layer of the attacker's. */
export const FOREIGN: string = 'bytes that nobody checked '.repeat(1000);

/** What an attacker makes of the artifact of a base job. */
export interface Lie {
  what: string;
  /** The artifact while an image is saved against it, and when its layers are read; default: the same. */
  archives: (target: LieTarget) => { saved: Buffer; read?: Buffer };
  /** What GitLab's storage does when layers are read. */
  storage?: (target: LieTarget) => Fault;
  /** How each reader ends: it refuses, or has the true image. */
  ends: 'refused' | 'true';
}

/** Whom a lie is told: an image whose first layer the base job has. */
export interface LieTarget {
  base: TestCargo;
  /** Address of the GitLab. */
  server: string;
}

interface Entry {
  root: Descriptor;
  annotations?: Record<string, string>;
}

const BLOB = gzipSync(tar(entry('file-0', FOREIGN)));

/** The foreign layer, which other descriptors may call something else. */
function foreignLayer(): Descriptor {
  return {
    mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
    digest: digestOf(BLOB),
    size: BLOB.length,
  };
}

function first({ layers }: TestCargo): Descriptor {
  return layers[0] ?? expect.fail();
}

function pathOf({ digest }: Descriptor): string {
  return `.drayage/1/blobs/sha256/${digestHex(digest)}`;
}

/** An image with the config of the base, whose first layer is another blob. */
function forged(
  { layers, configDigest, source }: TestCargo,
  layer: Descriptor,
): { root: Descriptor; bytes: Uint8Array } {
  const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: configDigest };
  const size = source.blobs.get(configDigest)?.length ?? expect.fail();
  const { descriptor, bytes } = buildManifest({ ...config, size }, [layer, ...layers.slice(1)]);
  return { root: descriptor, bytes };
}

interface ArtifactOptions {
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
function artifact(base: TestCargo, options: ArtifactOptions = {}): Buffer {
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
function elsewhere(base: TestCargo, place: Record<string, string>): Buffer {
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

/** True when it is saved against, and another one when it is read. */
function changedLayer(what: string, layer: (base: TestCargo) => ArtifactOptions): Lie {
  return {
    what,
    archives: ({ base }) => ({ saved: artifact(base), read: artifact(base, layer(base)) }),
    ends: 'refused',
  };
}

/** Answers requests for the layer with other bytes of the same number, under the right range. */
function otherBytes(total: number, least: number): Fault {
  return ({ headers }, response) => {
    const [, from, to] = /(\d+)-(\d+)/.exec(headers.range ?? '') ?? [];
    const length = Number(to) - Number(from) + 1;
    if (!(length > least)) return 'pass';
    response.writeHead(206, { 'content-range': `bytes ${from}-${to}/${total}`, 'content-length': length });
    response.end(Buffer.alloc(length, 7));
    return undefined;
  };
}

const PAIRS: Lie[] = [
  {
    what: 'calls another layer the one of its config',
    archives: ({ base }) => {
      const { root, bytes } = forged(base, foreignLayer());
      return { saved: artifact(base, { entries: [{ root }], blobs: [bytes, BLOB], layer: null }) };
    },
    ends: 'refused',
  },
  {
    what: 'calls another layer so beside the true one',
    archives: ({ base }) => {
      const { root, bytes } = forged(base, foreignLayer());
      return { saved: artifact(base, { entries: [{ root }, { root: base.root }], blobs: [bytes, BLOB] }) };
    },
    ends: 'refused',
  },
  {
    what: 'calls no gzip a layer',
    archives: ({ base }) => {
      const junk = Buffer.from(FOREIGN);
      const layer = { ...foreignLayer(), digest: digestOf(junk), size: junk.length };
      const { root, bytes } = forged(base, layer);
      return { saved: artifact(base, { entries: [{ root }], blobs: [bytes, junk], layer: null }) };
    },
    ends: 'refused',
  },
  {
    what: 'gives another size of its layer',
    archives: ({ base }) => {
      const { root, bytes } = forged(base, { ...first(base), size: 10 });
      return { saved: artifact(base, { entries: [{ root }], blobs: [bytes] }) };
    },
    ends: 'true',
  },
];

const PLACES: Lie[] = [
  {
    what: 'says that another job has another layer for it',
    archives: ({ base, server }) => ({ saved: elsewhere(base, { server }) }),
    ends: 'refused',
  },
  {
    what: 'says that another server has it',
    archives: ({ base }) => ({ saved: elsewhere(base, { server: 'http://127.0.0.1:9' }) }),
    ends: 'true',
  },
  {
    what: 'says that a registry has it',
    archives: ({ base }) => {
      const { root, bytes } = forged(base, foreignLayer());
      const annotations = {
        [OMITTED_LAYERS]: '1',
        'org.opencontainers.image.base.name': '127.0.0.1:9/evil:1',
      };
      return { saved: artifact(base, { entries: [{ root, annotations }], blobs: [bytes], layer: null }) };
    },
    ends: 'true',
  },
  {
    what: 'has a file outside of its layout as that',
    archives: ({ base, server }) => ({ saved: elsewhere(base, { server, path: '../images' }) }),
    ends: 'true',
  },
];

const READINGS: Lie[] = [
  changedLayer('has other bytes of the same size by then', (base) => ({
    layer: { bytes: Buffer.alloc(first(base).size, 1) },
  })),
  changedLayer('has another layer by then', () => ({ layer: { bytes: BLOB } })),
  changedLayer('has another layer under the size of the true one', (base) => ({
    layer: { bytes: BLOB, directory: { size: first(base).size } },
  })),
  changedLayer('has a link by then', () => ({ layer: { mode: 0o120777 } })),
  changedLayer('has a bomb by then', (base) => ({
    layer: { bytes: Buffer.alloc(50_000_000), directory: { size: first(base).size } },
  })),
  changedLayer('has the layer twice by then', (base) => ({
    files: [{ path: pathOf(first(base)), bytes: BLOB }],
  })),
  changedLayer('has the offset of another file', () => ({ layer: { directory: { start: 0 } } })),
  {
    what: 'is another artifact by then, where the same layer is',
    archives: ({ base }) => {
      const { root, bytes } = forged(base, foreignLayer());
      return { saved: artifact(base), read: artifact(base, { entries: [{ root }], blobs: [bytes, BLOB] }) };
    },
    ends: 'true',
  },
  {
    what: 'is answered with other bytes by the storage',
    archives: ({ base }) => ({ saved: artifact(base) }),
    storage: ({ base }) => otherBytes(artifact(base).length, first(base).size),
    ends: 'refused',
  },
];

/**
 * Lies of a hostile base job about layers, and how each ends. Those that are refused come first: after them, no daemon has
 * a layer of the image.
 */
export const LIES: readonly Lie[] = [...PAIRS, ...PLACES, ...READINGS].toSorted((a, b) =>
  a.ends.localeCompare(b.ends),
);
