import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import { bareDescriptor } from '../../src/oci/descriptor.ts';
import { descriptorSchema } from '../../src/oci/descriptor-schema.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { fakeDigest } from './documents.ts';

const BARE = { mediaType: 'application/octet-stream', digest: fakeDigest('a'), size: 3 };

describe('a descriptor', () => {
  test.each([
    ['the three properties', {}],
    ['a size of zero', { size: 0 }],
    ['sha512', { digest: `sha512:${'a'.repeat(128)}` }],
    ['annotations', { annotations: { a: '1' } }],
    ['a platform', { platform: { os: 'linux', architecture: 'arm', variant: 'v7' } }],
    ['urls', { urls: ['https://example.com/layer'] }],
    ['an artifact type', { artifactType: 'application/x' }],
    ['a property that is not known here', { extra: [1] }],
  ])('has %s', (_, more) => {
    expect(v.parse(descriptorSchema, { ...BARE, ...more })).toEqual({ ...BARE, ...more });
  });

  test.each(['annotations', 'platform', 'urls', 'data', 'artifactType'])('with null %s has none', (key) => {
    expect(v.parse(descriptorSchema, { ...BARE, [key]: null })).toEqual(BARE);
  });
});

describe('empty values, which Go reads as absent:', () => {
  test.each([
    ['platform', {}],
    ['urls', {}],
    ['annotations', ''],
    ['artifactType', {}],
  ])('%s %j', (key, value) => {
    expect(v.parse(descriptorSchema, { ...BARE, [key]: value })).toEqual(BARE);
  });

  test('an annotation that is null is an empty text', () => {
    const { annotations } = v.parse(descriptorSchema, { ...BARE, annotations: { a: null } });
    expect(annotations).toEqual({ a: '' });
  });
});

describe('embedded data', () => {
  const content = Buffer.from('content of a blob');
  const data = content.toString('base64');
  const named = { mediaType: 'a/b', digest: digestOf(content), size: content.length };

  test.each([
    ['the content', { ...named, data }],
    ['the content in several lines', { ...named, data: `${data.slice(0, 8)}\r\n${data.slice(8)}` }],
    ['the content of a sha512 digest', { ...named, digest: digestOf(content, 'sha512'), data }],
    ['empty', { ...named, data: '' }],
  ])('that is %s reads as it is', (_, descriptor) => {
    expect(v.parse(descriptorSchema, descriptor)).toEqual(descriptor);
  });

  test.each([
    ['other content of the same size', Buffer.from('content of a bl0b').toString('base64')],
    ['the start of the content', data.slice(0, 8)],
    ['the content and more', `${data.slice(0, -1)}A`],
    ['no base64', `${data.slice(0, 8)}*${data.slice(8)}`],
    ['base64 for addresses', Buffer.from('\xff\xfe\xfd', 'latin1').toString('base64url')],
  ])('that is %s is damage', (_, other) => {
    const { issues } = v.safeParse(descriptorSchema, { ...named, data: other });
    expect(issues?.[0].message).toBe('its embedded data is not the content of its digest');
  });
});

describe('not a descriptor', () => {
  test.each([
    ['no media type', { mediaType: undefined }],
    ['a media type that is too long', { mediaType: 'a'.repeat(256) }],
    ['no digest', { digest: undefined }],
    ['an upper-case digest', { digest: `sha256:${'A'.repeat(64)}` }],
    ['a digest of an unknown algorithm', { digest: `sha1:${'a'.repeat(40)}` }],
    ['a digest with a path', { digest: `sha256:../${'a'.repeat(61)}` }],
    ['no size', { size: undefined }],
    ['a negative size', { size: -1 }],
    ['a fractional size', { size: 1.5 }],
    ['a size that JavaScript does not hold exactly', { size: 2 ** 53 }],
    ['a size as text', { size: '3' }],
    ['an annotation that is no text', { annotations: { a: 1 } }],
    ['a platform that is text', { platform: 'linux/amd64' }],
    ['a url that is no text', { urls: [1] }],
    ['data that is no text', { data: { a: 1 } }],
  ])('%s', (_, more) => {
    expect(v.is(descriptorSchema, { ...BARE, ...more })).toBe(false);
  });
});

test('a bare descriptor has the three properties, in this order, and no other', () => {
  const full = v.parse(descriptorSchema, { ...BARE, annotations: { a: '1' }, urls: ['x'], extra: 1 });
  expect(JSON.stringify(bareDescriptor(full))).toBe(JSON.stringify(BARE));
});
