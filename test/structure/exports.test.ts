import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const ROOT = new URL('../../', import.meta.url);

/** What each subpath of the package exports at run time, in alphabetical order. A change here changes the API. */
const PINNED: Record<string, string[]> = {
  '.': [
    'BlobCache',
    'Budget',
    'COMPRESSIONS',
    'DrayageError',
    'GitLab',
    'Layout',
    'MemoryContent',
    'MemoryStore',
    'Registries',
    'chainCredentials',
    'chosenCompression',
    'cis',
    'connectDocker',
    'copy',
    'daemonTitle',
    'diff',
    'dockerConfigCredentials',
    'dockerConfigHosts',
    'expectationsOf',
    'exportArchive',
    'fetch',
    'findDockerHost',
    'formatDotenvReport',
    'formatVariables',
    'imageVariables',
    'inspect',
    'isDamage',
    'isDigest',
    'isDrayageError',
    'isImageVariable',
    'isLoopback',
    'joinPlaces',
    'judgedLookup',
    'keySigner',
    'keylessSigner',
    'knownCredentials',
    'load',
    'loadPrivateKey',
    'loadTrust',
    'localFirst',
    'merge',
    'originAnnotations',
    'originKeys',
    'originOf',
    'originPolicy',
    'overlay',
    'ownImages',
    'parseJson',
    'parsePlatform',
    'parseReference',
    'prepareFetch',
    'promote',
    'prune',
    'pulledImages',
    'readIdentityToken',
    'resolveDockerHost',
    'save',
    'saveReference',
    'sign',
    'signatureKeys',
    'signaturePolicy',
    'takeReferred',
    'unload',
    'untag',
    'verify',
    'verifyBundle',
    'withBudget',
  ],
  './oci': [
    'BASE_DIGEST',
    'BASE_NAME',
    'CREATED',
    'DOCKER_CONFIG',
    'DOCKER_MANIFEST',
    'DOCKER_MANIFEST_LIST',
    'DrayageError',
    'EMPTY_CONFIG',
    'IMAGE_NAME',
    'OCI_CONFIG',
    'OCI_INDEX',
    'OCI_LAYER',
    'OCI_MANIFEST',
    'REF_NAME',
    'REVISION',
    'SOURCE',
    'buildArtifact',
    'buildManifest',
    'configPlatform',
    'createDigester',
    'digestOf',
    'familiarReference',
    'familiarRepository',
    'formatPlatform',
    'isDigest',
    'isDrayageError',
    'isIndexType',
    'isManifestType',
    'isReference',
    'layerCompression',
    'matchesPlatform',
    'normalizeName',
    'normalizedReference',
    'ociLayerType',
    'pairLayers',
    'parseConfig',
    'parseDigest',
    'parseIndex',
    'parseManifest',
    'parsePlatform',
    'parseReference',
    'shortDigest',
    'withDefaultTag',
  ],
  './layout': ['DrayageError', 'Layout', 'MemoryContent', 'MemoryStore', 'OMITTED_LAYERS', 'isDrayageError'],
  './registry': [
    'DrayageError',
    'Registries',
    'Registry',
    'chainCredentials',
    'dockerConfigCredentials',
    'isDrayageError',
    'knownCredentials',
  ],
  './archive': [
    'DrayageError',
    'isDrayageError',
    'writeDockerArchive',
    'writeOciArchive',
    'writeOciArchives',
  ],
  './attest': [
    'DrayageError',
    'isDrayageError',
    'keySigner',
    'keylessSigner',
    'loadPrivateKey',
    'loadTrust',
    'readIdentityToken',
    'signaturePolicy',
    'verifyBundle',
  ],
  './gitlab': ['DrayageError', 'GitLab', 'cis', 'isDrayageError'],
  './image': [
    'DrayageError',
    'attach',
    'chainSources',
    'contentsOf',
    'copyImage',
    'isDrayageError',
    'mutateImage',
    'openLayer',
    'putLayer',
    'readImage',
    'verified',
    'walk',
    'writeBlob',
  ],
  './testing': [
    'addSample',
    'contentSinkContract',
    'contentSourceContract',
    'imageStoreContract',
    'sampleImage',
    'sampleIndex',
    'sampleReferrer',
  ],
  './docker': ['DrayageError', 'connectDocker', 'isDrayageError', 'resolveDockerHost'],
};

/** The subpaths that are code: the targets of package.json. */
const TARGETS: { [subpath: string]: { types: string; default: string } } = codeTargets();

describe('the package', () => {
  const subpaths = Object.entries(TARGETS);

  test.each(subpaths)('%s has types and code from one source', (_, { types, default: code }) => {
    expect(code).toMatch(/^\.\/dist\/.*\.js$/);
    expect(types).toBe(code.replace(/\.js$/, '.d.ts'));
  });

  test.each(subpaths)('%s exports what is pinned', async (subpath, target) => {
    const exported: Record<string, unknown> = await import(sourceOf(target).href);
    expect(Object.keys(exported).toSorted()).toEqual(PINNED[subpath]);
  });

  test.each(subpaths)('%s first sets what a realm lacks for `await using`', (_, target) => {
    const [first] = readFileSync(sourceOf(target), 'utf8').match(/^(?:import|export) .*$/m) ?? [];
    expect(first).toMatch(/^import '\.{1,2}\/disposal\.ts';$/);
  });

  test('pins no subpath that it does not have', () => {
    expect(Object.keys(PINNED).filter((subpath) => !(subpath in TARGETS))).toEqual([]);
  });
});

function codeTargets(): typeof TARGETS {
  const { exports }: { exports: typeof TARGETS } = JSON.parse(
    readFileSync(new URL('package.json', ROOT), 'utf8'),
  );
  return Object.fromEntries(Object.entries(exports).filter(([subpath]) => subpath !== './package.json'));
}

/** The source of a subpath: `./dist/exports/oci.js` -> src/exports/oci.ts. */
function sourceOf(target: { default: string }): URL {
  return new URL(target.default.replace('./dist/', 'src/').replace(/\.js$/, '.ts'), ROOT);
}
