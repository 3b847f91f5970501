import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import type { Platform } from '../../src/oci/platform.ts';
import { formatPlatform, isUnknownPlatform, matchesPlatform, parsePlatform } from '../../src/oci/platform.ts';
import { platformSchema } from '../../src/oci/platform-schema.ts';
import { thrown } from './documents.ts';

test.each([
  ['linux/amd64', 'linux/amd64'],
  ['linux/amd64/v1', 'linux/amd64'],
  ['linux/amd64/v3', 'linux/amd64/v3'],
  ['linux/x86_64', 'linux/amd64'],
  ['linux/x86-64', 'linux/amd64'],
  ['Linux/AMD64', 'linux/amd64'],
  ['linux/arm64', 'linux/arm64'],
  ['linux/arm64/v8', 'linux/arm64'],
  ['linux/arm64/8', 'linux/arm64'],
  ['linux/arm64/v9', 'linux/arm64/v9'],
  ['linux/aarch64', 'linux/arm64'],
  ['linux/arm', 'linux/arm/v7'],
  ['linux/arm/6', 'linux/arm/v6'],
  ['linux/arm/v5', 'linux/arm/v5'],
  ['linux/armhf', 'linux/arm/v7'],
  ['linux/armel', 'linux/arm/v6'],
  ['linux/i386', 'linux/386'],
  ['linux/riscv64', 'linux/riscv64'],
  ['windows/amd64', 'windows/amd64'],
  ['linux/constructor', 'linux/constructor'],
])('%s is %s', (text, normalized) => {
  expect(formatPlatform(parsePlatform(text))).toBe(normalized);
  expect(formatPlatform(parsePlatform(normalized))).toBe(normalized);
});

test.each([
  '',
  'linux',
  'linux/',
  '/amd64',
  '/',
  'linux/arm/',
  'linux//v7',
  'linux/arm/v7/x',
  'a/b/c/d',
  'linux/arm64,linux/amd64',
  'linux /amd64',
])('%j is no platform', (text) => {
  thrown('USAGE', () => parsePlatform(text));
});

describe('an image for one platform, where another is wanted', () => {
  test.each([
    ['linux/amd64', 'linux/amd64', true],
    ['linux/amd64', 'linux/arm64', false],
    ['linux/amd64', 'windows/amd64', false],
    ['linux/arm64', 'linux/arm64/v8', true],
    ['linux/arm64/v8', 'linux/arm64', true],
    ['linux/aarch64', 'linux/arm64/v8', true],
    ['linux/arm64/v9', 'linux/arm64', false],
    ['linux/amd64', 'linux/amd64/v3', true],
    ['linux/amd64/v3', 'linux/amd64', false],
    ['linux/arm/v7', 'linux/arm', true],
    ['linux/arm/v6', 'linux/arm', false],
    ['linux/arm', 'linux/arm/v6', true],
    ['linux/arm/v7', 'linux/arm/v6', false],
    ['linux/armel', 'linux/arm/v6', true],
    ['linux/armhf', 'linux/arm/v6', false],
  ])('%s wanted, %s there: %s', (want, have, matches) => {
    expect(matchesPlatform(stated(want), stated(have))).toBe(matches);
  });
});

test.each([
  ['unknown/unknown', true],
  ['linux/unknown', false],
  ['unknown/amd64', false],
  ['linux/amd64', false],
])('%s is unknown: %s', (text, unknown) => {
  expect(isUnknownPlatform(stated(text))).toBe(unknown);
});

test('a platform in a document keeps what is not known here', () => {
  const platform = { os: 'windows', architecture: 'amd64', 'os.version': '10.0', 'os.features': ['win32k'] };
  expect(v.parse(platformSchema, platform)).toEqual(platform);
});

test.each([
  [{ os: 'linux' }, { os: 'linux', architecture: '' }],
  [
    { architecture: 'arm', os: null },
    { os: '', architecture: 'arm' },
  ],
  [
    { os: null, architecture: null, variant: null },
    { os: '', architecture: '' },
  ],
])('%j states what it does not say as empty, as for Go', (value, expected) => {
  expect(v.parse(platformSchema, value)).toEqual({ variant: undefined, ...expected });
});

test.each([[{ os: 'linux', architecture: 5 }], [{ os: 1, architecture: 'arm' }], ['linux/arm']])(
  '%j is no platform of a document',
  (value) => {
    expect(v.is(platformSchema, value)).toBe(false);
  },
);

/** The platform as a document states it, not normalised. */
function stated(text: string): Platform {
  const [os = '', architecture = '', variant] = text.split('/');
  return { os, architecture, variant };
}
