import { expect, test } from 'vitest';
import { parseDockerManifest } from '../../../src/archive/read/docker-manifest.ts';
import { json, thrown } from '../../oci/documents.ts';

const IMAGE = { Config: 'config', RepoTags: ['app:1'], Layers: ['layer'] };

test.each([
  ['as docker writes them', IMAGE],
  ['in lower case', { config: 'config', repotags: ['app:1'], layers: ['layer'] }],
  ['with letters that docker takes for those', { Config: 'config', RepoTagſ: ['app:1'], LAYERſ: ['layer'] }],
])('manifest.json is read by keys %s', (_, image) => {
  expect(parseDockerManifest(json([image]))).toEqual({
    images: [{ config: 'config', names: ['app:1'], layers: ['layer'] }],
    unread: [],
  });
});

test.each([
  null,
  '',
  'App:1',
  'app:1@sha256:' + 'a'.repeat(64),
  '<none>:<none>',
  `sha256:${'a'.repeat(64)}`,
  `docker.io/library/sha256:${'a'.repeat(64)}`,
  'sha256:1',
  `sha512:${'a'.repeat(128)}`,
  `${'a'.repeat(300)}:1`,
  'a b',
])('of RepoTags, %s is skipped: it cannot be a name', (text) => {
  const others: string[] = [];
  const bytes = json([{ ...IMAGE, RepoTags: [text, 'app:1'] }]);
  expect(parseDockerManifest(bytes, (other) => others.push(other)).images[0]?.names).toEqual(['app:1']);
  expect(others).toEqual([text ?? '']);
});

test.each(['repotags', 'REPOTAGS', 'RepoTag\u017F'])(
  'manifest.json with RepoTags and %s is refused',
  (key) => {
    const { message } = thrown('MALFORMED', () =>
      parseDockerManifest(json([{ ...IMAGE, [key]: ['app:2'] }])),
    );
    expect(message).toContain('has a key twice');
  },
);

test('a key that docker does not read may be there twice, in different case', () => {
  const { images } = parseDockerManifest(json([{ ...IMAGE, Note: '', note: '' }]));
  expect(images).toHaveLength(1);
  thrown('MALFORMED', () => parseDockerManifest(json([{ ...IMAGE, Parent: '', parent: '' }])));
});

test.each<[unknown, string[], string]>([
  [null, [], 'it is null, not an object'],
  [7, [], 'it is 7, not an object'],
  [{ ...IMAGE, Config: undefined }, ['app:1'], 'it has no Config'],
  [{ ...IMAGE, Config: null }, ['app:1'], 'it has no Config'],
  [{ ...IMAGE, Config: '' }, ['app:1'], 'it has no Config'],
  [{ ...IMAGE, Config: 7 }, ['app:1'], 'Config: it is 7, not a text'],
  [{ config: 'config', repoTags: ['app:1'], layers: [null] }, ['app:1'], 'Layers.0: it is null, not a text'],
  [{ ...IMAGE, RepoTags: 'app:1' }, [], 'RepoTags: it is "app:1", not a list'],
  [{ ...IMAGE, RepoTags: [7] }, [], 'RepoTags.0: it is 7, not a text'],
])('an entry of manifest.json that cannot be read costs only itself: %j', (entry, names, problem) => {
  const { images, unread } = parseDockerManifest(json([entry, { ...IMAGE, RepoTags: ['other:1'] }]));
  expect(images.map((image) => image.names)).toEqual([['other:1']]);
  expect(unread).toEqual([{ names, problem }]);
});

test.each<[string, (count: number) => unknown]>([
  ['entries that cannot be read', (count) => Array.from({ length: count }, () => 0)],
  ['names', (count) => [{ ...IMAGE, RepoTags: Array.from({ length: count }, (_, i) => `app:${i}`) }]],
  [
    'texts that cannot be names',
    (count) => [{ ...IMAGE, RepoTags: Array.from({ length: count }, () => '') }],
  ],
  [
    'names in an entry without Config',
    (count) => [{ RepoTags: Array.from({ length: count }, (_, i) => `app:${i}`) }],
  ],
  ['images', (count) => Array.from({ length: count }, () => IMAGE)],
])('manifest.json may list 10,000 %s, and no more', (_, listed) => {
  expect(parseDockerManifest(json(listed(10_000)))).toBeDefined();
  const { facts } = thrown('LIMIT', () => parseDockerManifest(json(listed(10_001))));
  expect(facts).toMatchObject({ expected: 10_000, actual: 10_001 });
});

test.each([null, '', {}, [], undefined])('RepoTags and Layers may be absent, as with %j', (value) => {
  const { images } = parseDockerManifest(json([{ ...IMAGE, RepoTags: value, Layers: value }]));
  expect(images).toEqual([{ config: 'config', names: [], layers: [] }]);
});
