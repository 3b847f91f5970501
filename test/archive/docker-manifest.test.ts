import { expect, test } from 'vitest';
import { parseDockerManifest } from '../../src/archive/docker-manifest.ts';
import { json, thrown } from '../oci/documents.ts';

const IMAGE = { Config: 'config', RepoTags: ['app:1'], Layers: ['layer'] };

test.each([
  ['as docker writes them', IMAGE],
  ['in lower case', { config: 'config', repotags: ['app:1'], layers: ['layer'] }],
  ['with letters that docker takes for those', { Config: 'config', RepoTagſ: ['app:1'], LAYERſ: ['layer'] }],
])('manifest.json is read by keys %s', (_, image) => {
  expect(parseDockerManifest(json([image]))).toEqual([
    { config: 'config', names: ['app:1'], layers: ['layer'] },
  ]);
});

test.each([
  null,
  '',
  'App:1',
  'app:1@sha256:' + 'a'.repeat(64),
  '<none>:<none>',
  `${'a'.repeat(300)}:1`,
  'a b',
])('of RepoTags, %s is skipped: it cannot be a name', (text) => {
  const others: string[] = [];
  const bytes = json([{ ...IMAGE, RepoTags: [text, 'app:1'] }]);
  expect(parseDockerManifest(bytes, (other) => others.push(other))[0]?.names).toEqual(['app:1']);
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
