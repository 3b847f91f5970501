import { expect, test } from 'vitest';
import type { EndpointImage } from '../../../../src/content/endpoint.ts';
import { DrayageError } from '../../../../src/errors.ts';
import type { Digest } from '../../../../src/oci/digest.ts';
import { pulledImages } from '../../../../src/verbs/save/thin/pulled-images.ts';

const digest = (letter: string): Digest => `sha256:${letter.repeat(64)}`;

function daemonWith(images: EndpointImage[], gone: readonly Digest[] = []) {
  return {
    list: async () => images,
    inspect: async (id: string) => {
      const found = images.find((image) => image.id === id && !gone.includes(image.id));
      if (found === undefined) throw new DrayageError('NOT_FOUND', `no image ${id}`);
      return found;
    },
  };
}

test('are told by digest, with the tag that they have of the same repository', async () => {
  const images = [
    {
      id: digest('1'),
      names: ['other:1', 'node:22'],
      digests: [`node@${digest('a')}`, `registry.example/node@${digest('a')}`],
      diffIds: [digest('b')],
    },
    { id: digest('2'), names: ['built:1'], diffIds: [digest('c')] },
  ];
  expect(await pulledImages(daemonWith(images))).toEqual([
    {
      diffIds: [digest('b')],
      references: [`node:22@${digest('a')}`, `registry.example/node@${digest('a')}`],
    },
  ]);
});

test('are not those that have gone meanwhile, or that are broken', async () => {
  const broken = { id: digest('1'), names: [], digests: [`node@${digest('a')}`], diffIds: [] };
  const gone = { ...broken, id: digest('2'), diffIds: [digest('b')] };
  expect(await pulledImages(daemonWith([broken, gone], [gone.id]))).toEqual([]);
});
