import { expect, test } from 'vitest';
import { Budget, withBudget } from '../../src/budget.ts';
import type { ImagePlace } from '../../src/content/image-index.ts';
import { Layout } from '../../src/layout/layout.ts';
import { sampleImage } from '../../src/testing/sample-images.ts';
import { fetchImages } from '../../src/verbs/fetch.ts';
import { inspect } from '../../src/verbs/inspect.ts';
import { load } from '../../src/verbs/load/load.ts';
import { merge } from '../../src/verbs/merge.ts';
import { tempFolderInMemory } from '../layout/folders.ts';
import { FakeGitLab } from '../support/fake-gitlab.ts';
import { MemoryEndpoint } from '../support/memory-endpoint.ts';
import { zip } from '../support/zip-bytes.ts';
import { clientOf, imageFiles, zipped } from './artifacts.ts';

/** A zip with so many layouts, of one image each. */
function zipOf(layouts: number): Buffer {
  return zip(
    Array.from({ length: layouts }, (_, i) =>
      zipped(imageFiles(sampleImage(['base', `${i}`]), `app:${i}`, `images/${i}`)),
    ).flat(),
  );
}

const VERBS: Record<string, (places: readonly ImagePlace[]) => Promise<unknown>> = {
  inspect: async (from) => inspect({ from }),
  load: async (from) => load({ from, to: new MemoryEndpoint() }),
  'load of one': async (from) => load({ from, to: new MemoryEndpoint(), images: ['app:0'] }),
  fetch: async (from) => fetchImages({ from, to: await Layout.create(tempFolderInMemory()) }),
  merge: async (from) => merge({ from, to: await Layout.create(tempFolderInMemory()) }),
};

test.each(Object.entries(VERBS))(
  '%s of twice as many layouts in a zip costs at most twice as much',
  async (_, run) => {
    const cost = async (n: number): Promise<Record<string, number>> => {
      const fake = await FakeGitLab.start({ jobs: [{ id: 123, name: 'build', archive: zipOf(n) }] });
      await using gitlab = clientOf(fake);
      const budget = new Budget();
      await withBudget(async () => {
        await using artifact = await gitlab.openArtifact({ kind: 'id', jobId: '123', project: '12' });
        expect(artifact.layouts).toHaveLength(n);
        await run(artifact.layouts.map((layout) => layout.over(layout)));
      }, budget);
      const { documents, documentMemory, entries, layouts } = budget.spent;
      return { requests: fake.seen.length, documents, documentMemory, entries, layouts };
    };
    const [few, many] = [await cost(10), await cost(20)];
    for (const [what, count] of Object.entries(many))
      expect({ [what]: count }).toEqual({
        [what]: expect.toSatisfy((x: number) => x <= 2 * (few[what] ?? 0) + 10),
      });
  },
);
