import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import { digestSchema, list, optional, parseDocument, sizeSchema } from '../../src/oci/parse.ts';
import { parseIndex } from '../../src/oci/image-index.ts';
import { parseManifest } from '../../src/oci/manifest.ts';
import { OCI_MANIFEST } from '../../src/oci/media-types.ts';
import { fakeDigest, json, thrown } from './documents.ts';

describe('a document that breaks its schema', () => {
  const schema = v.looseObject({ layers: list(v.looseObject({ size: sizeSchema })) });

  test('fails with what it is and the key that is wrong', () => {
    const error = thrown('MALFORMED', () =>
      parseDocument(schema, json({ layers: [{ size: 'x' }] }), 'm.json'),
    );
    expect(error.message).toMatch(/^m\.json: layers\.0\.size: /);
    expect(error.message).not.toContain('\n');
  });

  test.each<[unknown, string]>([
    [null, 'it is null, not an object'],
    [{}, 'layers: it is missing'],
    [{ layers: {} }, 'layers: it is an object, not a list'],
    [{ layers: [7] }, 'layers.0: it is 7, not an object'],
    [{ layers: [{}] }, 'layers.0.size: it is missing'],
    [{ layers: [{ size: -1 }] }, 'layers.0.size: not a whole number of bytes'],
    [{ layers: [{ size: null }] }, 'layers.0.size: not a whole number of bytes'],
    [{ layers: [{ size: 1, type: 7 }] }, 'layers.0.type: it is 7, not "a" or "b"'],
    [{ layers: [{ size: 1, name: 7 }] }, 'layers.0.name: it is 7, not a text'],
    [{ layers: [{ size: 1, type: 'c' }] }, 'layers.0.type: it is "c", not "a" or "b"'],
  ])('says in words what is wrong with %j', (value, words) => {
    const layer = v.looseObject({
      size: sizeSchema,
      type: optional(v.picklist(['a', 'b'])),
      name: optional(v.string()),
    });
    const error = thrown('MALFORMED', () =>
      parseDocument(v.object({ layers: list(layer) }), json(value), 'm'),
    );
    expect(error.message).toBe(`m: ${words}`);
  });

  test.each(['null', '[]', '1', '"x"'])('%s in place of an object', (text) => {
    expect(thrown('MALFORMED', () => parseDocument(schema, Buffer.from(text), 'm.json')).message).toMatch(
      /^m\.json: /,
    );
  });
});

test('"__proto__" in a document changes no prototype', () => {
  const value = parseDocument(
    v.looseObject({ layers: optional(v.string()) }),
    Buffer.from('{"__proto__":{"layers":"planted"}}'),
    'x',
  );
  expect(value.layers).toBeUndefined();
  expect(({} as Record<string, unknown>)['layers']).toBeUndefined();
});

test.each([
  ['0', true],
  ['1', true],
  ['9007199254740991', true],
  ['9007199254740992', false],
  ['9007199254740993', false],
  ['1e400', false],
  ['-1', false],
  ['0.5', false],
  ['"1"', false],
  ['null', false],
  ['true', false],
])('a size of %s is accepted: %s', (text, valid) => {
  expect(v.is(sizeSchema, JSON.parse(text))).toBe(valid);
});

test.each([
  [fakeDigest('a'), true],
  [fakeDigest('A'), false],
  [1, false],
  [null, false],
  [[fakeDigest('a')], false],
])('a digest of %j is accepted: %s', (value, valid) => {
  expect(v.is(digestSchema, value)).toBe(valid);
});

describe('null, as Go writes what is empty,', () => {
  test.each([[{ a: null }], [{}]])('reads as missing where a property may be missing: %j', (value) => {
    expect(v.parse(v.object({ a: optional(v.string()) }), value).a).toBeUndefined();
  });

  test('reads as an empty list where a list must stand', () => {
    expect(v.parse(v.object({ a: list(v.string()) }), { a: null }).a).toEqual([]);
    expect(v.is(v.object({ a: list(v.string()) }), {})).toBe(false);
  });

  test('is wrong inside a list', () => {
    expect(v.is(list(v.string()), [null])).toBe(false);
  });
});

describe('a key in other spelling, which docker reads in place of ours,', () => {
  const child = { mediaType: OCI_MANIFEST, digest: fakeDigest('a'), size: 1 };
  const index = { schemaVersion: 2, manifests: [child] };
  const manifest = { schemaVersion: 2, config: child, layers: [child] };
  const unknown = { os: 'unknown', architecture: 'unknown' };

  test.each([
    ['of an index', parseIndex, { ...index, Manifests: [] }],
    ['of an index, by a long s', parseIndex, { ...index, manifeſts: [] }],
    ['of a manifest', parseManifest, { ...manifest, LAYERS: [] }],
    ['of a manifest, that is a key of an index', parseManifest, { ...manifest, Manifests: [child] }],
    ['of a descriptor', parseIndex, { ...index, manifests: [{ ...child, Digest: fakeDigest('b') }] }],
    [
      'of a descriptor, where there is no other',
      parseIndex,
      { ...index, manifests: [{ ...child, Platform: unknown }] },
    ],
    [
      'of a platform',
      parseIndex,
      { ...index, manifests: [{ ...child, platform: { ...unknown, OS: 'linux' } }] },
    ],
  ])('%s is refused', (_, parse, value) => {
    const { message } = thrown('MALFORMED', () => parse(json(value), 'x'));
    expect(message).toContain('a key in other spelling');
  });

  test('is refused also where it is no key of ours', () => {
    thrown('MALFORMED', () => parseIndex(json({ ...index, Extra: 1, extra: 2 }), 'x'));
  });

  test('is none among annotations', () => {
    const value = { ...index, Extra: 1, annotations: { a: '1', A: '2', Manifests: '3' } };
    expect(parseIndex(json(value), 'x')).toEqual(value);
  });
});
