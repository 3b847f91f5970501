import { describe, expect, test } from 'vitest';
import { digestOf } from '../../src/oci/digest.ts';
import { buildIndex, parseIndex } from '../../src/oci/image-index.ts';
import { DOCKER_MANIFEST_LIST, OCI_INDEX, OCI_MANIFEST } from '../../src/oci/media-types.ts';
import { fakeDigest, json, thrown } from './documents.ts';

const CHILD = { mediaType: OCI_MANIFEST, digest: fakeDigest('1'), size: 20 };
const INDEX = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [CHILD] };

describe('an index', () => {
  test.each([
    ['OCI', {}],
    ['a Docker manifest list', { mediaType: DOCKER_MANIFEST_LIST }],
    ['without a media type of its own', { mediaType: undefined }],
    ['without children', { manifests: [] }],
    ['with the same child twice', { manifests: [CHILD, CHILD] }],
    ['with a nested index', { manifests: [{ ...CHILD, mediaType: OCI_INDEX }] }],
    ['with a child of a kind that is not known', { manifests: [{ ...CHILD, mediaType: 'application/x' }] }],
    ['with platforms', { manifests: [{ ...CHILD, platform: { os: 'unknown', architecture: 'unknown' } }] }],
    ['with a subject and annotations', { subject: CHILD, annotations: { a: '1' } }],
    ['with a property that is not known here', { extra: 1 }],
  ])('%s reads as it is', (_, more) => {
    const index = JSON.parse(JSON.stringify({ ...INDEX, ...more })) as unknown;
    expect(parseIndex(json(index), 'x')).toEqual(index);
  });

  test('with null in place of children has none', () => {
    expect(parseIndex(json({ ...INDEX, manifests: null }), 'x').manifests).toEqual([]);
  });

  test('with null annotations has none', () => {
    expect(parseIndex(json({ ...INDEX, annotations: null }), 'x')).toEqual(INDEX);
  });
});

test.each([undefined, null, 0])(
  'an index with schema version %s is of version 2, as for Go',
  (schemaVersion) => {
    expect(parseIndex(json({ ...INDEX, schemaVersion }), 'x')).toEqual(INDEX);
  },
);

describe('not an index', () => {
  test.each([
    ['manifests and layers at once', { layers: [] }, 'an index must not have "layers"'],
    ['manifests and null layers', { layers: null }, 'an index must not have "layers"'],
    ['manifests and a config at once', { config: CHILD }, 'an index must not have "config"'],
    ['layers of schema 1, too', { fsLayers: [] }, 'an index must not have "fsLayers"'],
    ['the media type of a manifest', { mediaType: OCI_MANIFEST }, 'mediaType: '],
    ['schema version 1', { schemaVersion: 1 }, 'schemaVersion: '],
    ['schema version "2"', { schemaVersion: '2' }, 'schemaVersion: '],
    ['no children', { manifests: undefined }, 'manifests: '],
    ['a null child', { manifests: [null] }, 'manifests.0: '],
    ['a child of negative size', { manifests: [{ ...CHILD, size: -1 }] }, 'manifests.0.size: '],
    [
      'a child with a short digest',
      { manifests: [{ ...CHILD, digest: 'sha256:a' }] },
      'manifests.0.digest: ',
    ],
    [
      'a platform whose architecture is a number',
      { manifests: [{ ...CHILD, platform: { os: 'linux', architecture: 5 } }] },
      'manifests.0.platform.architecture: it is 5, not a text',
    ],
  ])('%s', (_, more, message) => {
    expect(thrown('MALFORMED', () => parseIndex(json({ ...INDEX, ...more }), 'i')).message).toContain(
      message,
    );
  });
});

test('a built index is compact JSON in the order of the specification', () => {
  const manifest = CHILD;
  const { descriptor, bytes } = buildIndex([manifest]);
  expect(bytes.toString()).toBe(
    `{"schemaVersion":2,"mediaType":"${OCI_INDEX}","manifests":[{"mediaType":"${OCI_MANIFEST}","digest":"${manifest.digest}","size":20}]}`,
  );
  expect(descriptor).toEqual({ mediaType: OCI_INDEX, digest: digestOf(bytes), size: bytes.length });
});
