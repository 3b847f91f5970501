import { describe, expect, test } from 'vitest';
import type { Compression } from '../../src/oci/media-types.ts';
import {
  DOCKER_CONFIG,
  DOCKER_MANIFEST,
  DOCKER_MANIFEST_LIST,
  isConfigType,
  isIndexType,
  isManifestType,
  isNonDistributable,
  layerCompression,
  OCI_CONFIG,
  OCI_INDEX,
  OCI_MANIFEST,
  OCTET_STREAM,
  ociLayerType,
} from '../../src/oci/media-types.ts';

/** Names that every JavaScript object has: a look-up in a plain object would find them. */
const INHERITED = ['constructor', 'toString', '__proto__', 'hasOwnProperty'];

test.each([
  [OCI_MANIFEST, 'manifest'],
  [DOCKER_MANIFEST, 'manifest'],
  [OCI_INDEX, 'index'],
  [DOCKER_MANIFEST_LIST, 'index'],
  [OCI_CONFIG, 'config'],
  [DOCKER_CONFIG, 'config'],
  [OCTET_STREAM, 'none'],
  ['application/vnd.docker.distribution.manifest.v1+prettyjws', 'none'],
  [OCI_MANIFEST.toUpperCase(), 'none'],
  ['', 'none'],
])('%s names a document of kind %s', (type, kind) => {
  expect(isManifestType(type)).toBe(kind === 'manifest');
  expect(isIndexType(type)).toBe(kind === 'index');
  expect(isConfigType(type)).toBe(kind === 'config');
});

describe('a layer', () => {
  test.each([
    ['application/vnd.oci.image.layer.v1.tar', 'none', false],
    ['application/vnd.oci.image.layer.v1.tar+gzip', 'gzip', false],
    ['application/vnd.oci.image.layer.v1.tar+zstd', 'zstd', false],
    ['application/vnd.oci.image.layer.nondistributable.v1.tar', 'none', true],
    ['application/vnd.oci.image.layer.nondistributable.v1.tar+gzip', 'gzip', true],
    ['application/vnd.oci.image.layer.nondistributable.v1.tar+zstd', 'zstd', true],
    ['application/vnd.docker.image.rootfs.diff.tar', 'none', false],
    ['application/vnd.docker.image.rootfs.diff.tar.gzip', 'gzip', false],
    ['application/vnd.docker.image.rootfs.diff.tar.zstd', 'zstd', false],
    ['application/vnd.docker.image.rootfs.foreign.diff.tar', 'none', true],
    ['application/vnd.docker.image.rootfs.foreign.diff.tar.gzip', 'gzip', true],
  ] satisfies [string, Compression, boolean][])('%s: %s, may be absent: %s', (type, compression, absent) => {
    expect(layerCompression(type)).toBe(compression);
    expect(isNonDistributable(type)).toBe(absent);
  });
});

test.each([
  'application/vnd.in-toto+json',
  'application/vnd.oci.image.layer.v1.tar+xz',
  'application/vnd.example.foreign',
  OCTET_STREAM,
  OCI_CONFIG,
  '',
  ...INHERITED,
])('%j is no image layer', (type) => {
  expect(layerCompression(type)).toBeUndefined();
  expect(isNonDistributable(type)).toBe(false);
});

test.each(['none', 'gzip', 'zstd'] as const)('the OCI layer type for %s says so', (compression) => {
  expect(layerCompression(ociLayerType(compression))).toBe(compression);
});
