import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import type { ReadArchiveOptions } from '../../../src/archive/read/read.ts';
import type { IngestLayer, LayerHint } from '../../../src/content/layer.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { MemoryContent } from '../../support/archives/memory-content.ts';
import { plainIngest } from '../../support/archives/plain-ingest.ts';
import { readBytes } from '../../support/archives/read-bytes.ts';

const saved = await readFile(new URL('../../../fixtures/docker-20.10.tar', import.meta.url));

/** What is said of each layer before it is read, with the diffID that it turns out to have. */
async function hintsOf(expected?: ReadArchiveOptions['expected']): Promise<[LayerHint, string][]> {
  const hints: [LayerHint, string][] = [];
  const content = new MemoryContent();
  const plain = plainIngest(content);
  const ingest: IngestLayer = async (bytes, hint) => {
    const layer = await plain(bytes, hint);
    hints.push([hint, layer.diffId]);
    return layer;
  };
  await readBytes(saved, { content, ingest, expected });
  return hints;
}

test('layers of docker 20.10 are known before they are read, but for the one at the top', async () => {
  const { images } = await readBytes(saved);
  const stacks = images.map(({ layers }) => layers.map(({ diffId }) => diffId));
  const tops = stacks.map((diffIds) => diffIds.at(-1));
  const hints = await hintsOf(stacks);
  expect(hints.filter(([{ promised }]) => promised !== undefined)).not.toEqual([]);
  for (const [{ promised, isStated }, diffId] of hints) {
    expect(promised).toBe(tops.some((top) => top === diffId) ? undefined : diffId);
    expect(isStated).toBe(promised !== undefined);
  }
});

test.each([
  ['nothing is known of the image', undefined],
  ['another image is expected', [[digestOf(Buffer.from('a')), digestOf(Buffer.from('b'))]]],
])('none is where %s', async (_title, expected) => {
  expect((await hintsOf(expected)).map(([{ promised }]) => promised)).toEqual(
    (await hintsOf()).map(() => undefined),
  );
});
