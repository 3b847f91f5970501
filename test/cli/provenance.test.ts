import { expect, test } from 'vitest';
import { usedImages } from '../../src/cli/provenance.ts';

const HEX = 'a'.repeat(64);
const digest = { sha256: HEX };

test.each([
  ['pkg:docker/node@22?platform=linux%2Famd64', [`node:22@sha256:${HEX}`, 'node:22']],
  ['pkg:docker/group/app@1.2', [`group/app:1.2@sha256:${HEX}`, 'group/app:1.2']],
  [
    'pkg:docker/registry.example%3A5000/group/app@1',
    [`registry.example:5000/group/app:1@sha256:${HEX}`, 'registry.example:5000/group/app:1'],
  ],
  [`pkg:docker/node?digest=sha256:${HEX}&platform=linux%2Farm64`, [`node@sha256:${HEX}`]],
])('%s is %s', (uri, references) => {
  expect(usedImages({ materials: [{ uri, digest }] })).toEqual(references);
  expect(usedImages({ buildDefinition: { resolvedDependencies: [{ uri, digest }] } })).toEqual(references);
});

test('a digest that only the address tells counts, and without any the tag has to do', () => {
  const materials = [{ uri: `pkg:docker/node?digest=sha256:${HEX}` }, { uri: 'pkg:docker/node@22' }];
  expect(usedImages({ materials })).toEqual([`node@sha256:${HEX}`, 'node:22']);
});

test('each is told once, and what is no image not at all', () => {
  const uri = 'pkg:docker/node@22';
  const materials = [{ uri }, { uri }, { uri: 'https://example/context.git' }, { uri: 1 }, null, 'x'];
  expect(usedImages({ materials: [...materials, { uri: 'pkg:docker/%E0%A4%A' }] })).toEqual(['node:22']);
});

test.each([[undefined], [null], ['text'], [{}], [{ materials: 'none' }], [{ buildDefinition: null }]])(
  '%j uses no image',
  (provenance) => {
    expect(usedImages(provenance)).toEqual([]);
  },
);
