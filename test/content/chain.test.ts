import { expect, test } from 'vitest';
import type { ContentSource } from '../../src/content/source.ts';
import { chainSources } from '../../src/content/source.ts';
import { MemoryContent } from '../../src/memory/memory-content.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { describeBytes } from '../../src/testing/sample-images.ts';

const BYTES = Buffer.from('a blob');
const BLOB = describeBytes(BYTES);
const OTHER = Buffer.from('other');

/** Places that note who is asked. */
class Asked {
  readonly names: string[] = [];

  place(name: string, blobs: Buffer[], digests?: () => Promise<ReadonlySet<Digest>>): ContentSource {
    const content = new MemoryContent(blobs);
    return {
      has: async (descriptor) => {
        this.names.push(name);
        return content.has(descriptor);
      },
      open: async (descriptor, options) => content.open(descriptor, options),
      ...(digests && { digests }),
    };
  }
}

const lists =
  (...blobs: Buffer[]) =>
  async (): Promise<ReadonlySet<Digest>> =>
    new Set(blobs.map((bytes) => describeBytes(bytes).digest));
const fails = async (): Promise<never> => {
  throw new Error('unreadable');
};

test.each<[string, (asked: Asked) => ContentSource[], string[]]>([
  [
    'the first place is asked before any lists its content',
    (asked) => [asked.place('a', [BYTES]), asked.place('b', [BYTES], fails)],
    ['a'],
  ],
  [
    'of places that list it, the first one is asked',
    (asked) => [
      asked.place('a', []),
      asked.place('b', [OTHER], lists(OTHER)),
      asked.place('c', [BYTES], lists(BYTES)),
      asked.place('d', [BYTES], lists(BYTES)),
    ],
    ['a', 'c'],
  ],
  [
    'one that lists nothing keeps its turn',
    (asked) => [asked.place('a', []), asked.place('b', [BYTES]), asked.place('c', [BYTES], lists(BYTES))],
    ['a', 'b'],
  ],
  [
    'one whose list cannot be read keeps its turn',
    (asked) => [asked.place('a', []), asked.place('b', [BYTES], fails), asked.place('c', [], lists(BYTES))],
    ['a', 'b'],
  ],
  [
    'content that came after the list is found',
    (asked) => [asked.place('a', []), asked.place('b', [BYTES], lists()), asked.place('c', [], lists(BYTES))],
    ['a', 'c', 'b'],
  ],
])('%s', async (_, places, expected) => {
  const asked = new Asked();
  expect(await chainSources(places(asked)).has(BLOB)).toBe(true);
  expect(asked.names).toEqual(expected);
});
