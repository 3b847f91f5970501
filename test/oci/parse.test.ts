import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import {
  digestSchema,
  list,
  MAX_DOCUMENT_SIZE,
  optional,
  parseDocument,
  parseJson,
  sizeSchema,
} from '../../src/oci/parse.ts';
import { parseIndex } from '../../src/oci/image-index.ts';
import { parseManifest } from '../../src/oci/manifest.ts';
import { OCI_MANIFEST } from '../../src/oci/media-types.ts';
import { fakeDigest, json, thrown } from './documents.ts';

describe('bytes that are not JSON', () => {
  test.each([
    ['nothing', ''],
    ['text', 'manifest'],
    ['a cut document', '{"a":1'],
    ['something after the document', '{} {}'],
    ['a comment', '{} // end'],
    ['a byte order mark, which docker does not read either', '\uFEFF{}'],
    ['NaN', '{"size":NaN}'],
    ['invalid UTF-8', Buffer.from([0x22, 0xff, 0x22])],
    ['a surrogate encoded as UTF-8', Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])],
    ['UTF-16', Buffer.from('{}', 'utf16le')],
    ['a NUL after the document', '{}\0'],
  ])('%s', (_, bytes) => {
    const error = thrown('MALFORMED', () => parseJson(Buffer.from(bytes), 'manifest.json'));
    expect(error.message).toBe('manifest.json is not JSON');
    expect(error.cause).toBeInstanceOf(Error);
  });
});

describe('nesting as deep as the largest document allows', () => {
  const depth = MAX_DOCUMENT_SIZE / 2 - 100;
  const deep = '['.repeat(depth) + ']'.repeat(depth);
  const schema = v.looseObject({ size: sizeSchema });

  test('is passed over where nobody asks for it', () => {
    expect(parseDocument(schema, Buffer.from(`{"size":1,"x":${deep}}`), 'x').size).toBe(1);
  });

  test('is malformed where a number should stand', () => {
    thrown('MALFORMED', () => parseDocument(schema, Buffer.from(`{"size":${deep}}`), 'x'));
  });
});

describe('a document that breaks its schema', () => {
  const schema = v.looseObject({ layers: list(v.looseObject({ size: sizeSchema })) });

  test('fails with what it is and the key that is wrong', () => {
    const error = thrown('MALFORMED', () =>
      parseDocument(schema, json({ layers: [{ size: 'x' }] }), 'm.json'),
    );
    expect(error.message).toMatch(/^m\.json: layers\.0\.size: /);
    expect(error.message).not.toContain('\n');
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

  test('is none where it is no key of ours, or one of the annotations', () => {
    const value = { ...index, Extra: 1, extra: 2, annotations: { a: '1', A: '2', Manifests: '3' } };
    expect(parseIndex(json(value), 'x')).toEqual(value);
  });
});
