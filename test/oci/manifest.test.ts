import { createReadStream } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { extract } from 'tar-stream';
import { beforeAll, describe, expect, test } from 'vitest';
import { parseConfig } from '../../src/oci/config.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { parseIndex } from '../../src/oci/image-index.ts';
import { buildManifest, pairLayers, parseManifest, toDocument } from '../../src/oci/manifest.ts';
import {
  DOCKER_MANIFEST,
  OCI_CONFIG,
  OCI_INDEX,
  OCI_LAYER,
  OCI_MANIFEST,
} from '../../src/oci/media-types.ts';
import { fakeDigest, json, thrown } from './documents.ts';

const CONFIG = { mediaType: OCI_CONFIG, digest: fakeDigest('c'), size: 10 };
const LAYER = { mediaType: OCI_LAYER, digest: fakeDigest('1'), size: 20 };
const MANIFEST = { schemaVersion: 2, mediaType: OCI_MANIFEST, config: CONFIG, layers: [LAYER] };

describe('a manifest', () => {
  test.each([
    ['OCI', {}],
    ['Docker schema 2', { mediaType: DOCKER_MANIFEST }],
    ['without a media type of its own', { mediaType: undefined }],
    ['without layers', { layers: [] }],
    ['with a subject', { subject: { ...CONFIG, mediaType: OCI_MANIFEST } }],
    ['with annotations and an artifact type', { annotations: { a: '1' }, artifactType: 'application/x' }],
    ['with a property that is not known here', { extra: { a: 1 } }],
  ])('%s reads as it is', (_, more) => {
    const manifest = JSON.parse(JSON.stringify({ ...MANIFEST, ...more })) as unknown;
    expect(parseManifest(json(manifest), 'x')).toEqual(manifest);
  });

  test('with an empty object in place of the subject has none', () => {
    expect(parseManifest(json({ ...MANIFEST, subject: {} }), 'x').subject).toBeUndefined();
  });

  test('with null in place of layers has none', () => {
    expect(parseManifest(json({ ...MANIFEST, layers: null }), 'x').layers).toEqual([]);
  });

  test('with null in place of subject and annotations has none', () => {
    expect(parseManifest(json({ ...MANIFEST, subject: null, annotations: null }), 'x')).toEqual(MANIFEST);
  });
});

test.each([undefined, null, 0])(
  'a manifest with schema version %s is of version 2, as for Go',
  (schemaVersion) => {
    expect(parseManifest(json({ ...MANIFEST, schemaVersion }), 'x')).toEqual(MANIFEST);
  },
);

test('a manifest with an empty artifact type has none', () => {
  expect(parseManifest(json({ ...MANIFEST, artifactType: '' }), 'x')).toMatchObject({
    artifactType: undefined,
  });
});

describe('not a manifest', () => {
  test.each([
    ['layers and manifests at once', { manifests: [] }, 'manifests: a manifest must not have "manifests"'],
    ['layers and null manifests', { manifests: null }, 'manifests: a manifest must not have "manifests"'],
    ['layers of schema 1, too', { fsLayers: [] }, 'fsLayers: a manifest must not have "fsLayers"'],
    ['layers of schema 1 in other case', { FSLAYERS: [] }, 'a key in other spelling'],
    ['the media type of an index', { mediaType: OCI_INDEX }, 'mediaType: '],
    ['an unknown media type', { mediaType: 'application/json' }, 'mediaType: '],
    ['schema version 1', { schemaVersion: 1 }, 'schemaVersion: '],
    ['schema version "2"', { schemaVersion: '2' }, 'schemaVersion: '],
    ['no config', { config: undefined }, 'config: '],
    ['a null config', { config: null }, 'config: '],
    ['no layers', { layers: undefined }, 'layers: '],
    ['layers that are no list', { layers: { 0: LAYER } }, 'layers: '],
    ['a null layer', { layers: [null] }, 'layers.0: '],
    ['a negative size', { layers: [{ ...LAYER, size: -1 }] }, 'layers.0.size: '],
    ['a fractional size', { layers: [LAYER, { ...LAYER, size: 0.5 }] }, 'layers.1.size: '],
    ['an inexact size', { config: { ...CONFIG, size: 2 ** 60 } }, 'config.size: '],
    ['an upper-case digest', { config: { ...CONFIG, digest: fakeDigest('C') } }, 'config.digest: '],
    ['a subject that is no descriptor', { subject: { mediaType: OCI_MANIFEST } }, 'subject.'],
  ])('%s', (_, more, message) => {
    expect(thrown('MALFORMED', () => parseManifest(json({ ...MANIFEST, ...more }), 'm')).message).toContain(
      `m: ${message}`,
    );
  });

  test('an index', () => {
    thrown('MALFORMED', () => parseManifest(json({ schemaVersion: 2, manifests: [] }), 'm'));
  });
});

describe('layers and diffIDs', () => {
  const manifest = parseManifest(json({ ...MANIFEST, layers: [LAYER, { ...LAYER, size: 21 }] }), 'x');

  test('pair up by position', () => {
    expect(pairLayers(manifest, [fakeDigest('d'), fakeDigest('e')])).toEqual([
      { diffId: fakeDigest('d'), blob: LAYER },
      { diffId: fakeDigest('e'), blob: { ...LAYER, size: 21 } },
    ]);
  });

  test.each([0, 1, 3])('do not pair up where there are 2 and %i of them', (count) => {
    const diffIds = Array.from({ length: count }, () => fakeDigest('d'));
    const error = thrown('MALFORMED', () => pairLayers(manifest, diffIds));
    expect(error.facts).toMatchObject({ expected: count, actual: 2 });
    const named = thrown('MALFORMED', () => pairLayers(manifest, diffIds, fakeDigest('f')));
    expect(named.message).toContain(`the manifest ${fakeDigest('f')} has 2 layers`);
  });
});

describe('a manifest that is built', () => {
  test('is compact JSON of bare descriptors in a fixed order of keys', () => {
    const config = { size: 10, digest: fakeDigest('c'), mediaType: OCI_CONFIG, annotations: { a: '1' } };
    const { descriptor, bytes } = buildManifest(config, [{ ...LAYER, data: 'eA==' }]);
    expect(Buffer.from(bytes).toString()).toBe(JSON.stringify(MANIFEST));
    expect(descriptor).toStrictEqual({
      mediaType: OCI_MANIFEST,
      digest: digestOf(bytes),
      size: bytes.length,
    });
  });

  test('reads back', () => {
    expect(parseManifest(buildManifest(CONFIG, [LAYER]).bytes, 'x')).toEqual(MANIFEST);
    expect(parseManifest(buildManifest(CONFIG, []).bytes, 'x').layers).toEqual([]);
  });

  test('states what else is given, in the order of the specification', () => {
    const subject = { ...CONFIG, mediaType: OCI_MANIFEST };
    const further = { annotations: { a: '1' }, subject, artifactType: 'application/x' };
    const { bytes } = buildManifest(CONFIG, [LAYER], further);
    expect(parseManifest(bytes, 'x')).toEqual({ ...MANIFEST, ...further });
    const keys = Object.keys(JSON.parse(bytes.toString()) as object);
    expect(keys).toEqual([
      'schemaVersion',
      'mediaType',
      'artifactType',
      'config',
      'layers',
      'subject',
      'annotations',
    ]);
    expect(buildManifest(CONFIG, [LAYER], {}).bytes).toEqual(buildManifest(CONFIG, [LAYER]).bytes);
  });
});

test('the size of a document is in bytes, not characters', () => {
  expect(toDocument('text/plain', 'ü').descriptor.size).toBe(2);
});

describe('over uncompressed layers', () => {
  let files: Map<string, Buffer>;
  beforeAll(async () => {
    files = await readTar(new URL('../../fixtures/docker-28-graph.tar', import.meta.url));
  });

  test("the digest of a manifest that is built is the daemon's own", () => {
    const index = parseIndex(file('index.json'), 'index.json');
    expect(index.manifests).toHaveLength(4);
    for (const { digest, size } of index.manifests) {
      const { config, layers } = parseManifest(blob(digest), digest);
      const { diff_ids } = parseConfig(blob(config.digest), config.digest).rootfs;
      const rebuilt = buildManifest(
        { mediaType: OCI_CONFIG, digest: digestOf(blob(config.digest)), size: blob(config.digest).length },
        diff_ids.map((diffId) => ({ mediaType: OCI_LAYER, digest: diffId, size: blob(diffId).length })),
      );
      expect(layers).toHaveLength(3);
      expect(rebuilt.descriptor).toEqual({ mediaType: OCI_MANIFEST, digest, size });
    }
  });

  function blob(digest: string): Buffer {
    return file(`blobs/${digest.replace(':', '/')}`);
  }

  function file(name: string): Buffer {
    return files.get(name) ?? expect.fail(`the fixture has no ${name}`);
  }
});

async function readTar(file: URL): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  for await (const entry of createReadStream(file).pipe(extract())) {
    files.set(entry.header.name, await buffer(entry));
  }
  return files;
}
