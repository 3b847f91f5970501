import { expect, test } from 'vitest';
import { Budget, withBudget } from '../../src/budget.ts';
import type { Artifacts } from '../../src/cli/artifacts.ts';
import { lazyArtifacts } from '../../src/cli/artifacts.ts';
import type { BaseJobOptions } from '../../src/cli/base-jobs.ts';
import { openBaseJobs, openTrustedJobs } from '../../src/cli/base-jobs.ts';
import { BASE_JOBS, OMITTED_LAYERS } from '../../src/image/annotations.ts';
import { baseJobsAnnotation } from '../../src/image/base-jobs.ts';
import { baseOpener } from '../../src/image/open-base.ts';
import { Layout } from '../../src/layout/layout.ts';
import { Registries } from '../../src/registry/registries.ts';
import type { SampleImage } from '../../src/testing/sample-images.ts';
import { addSample, sampleImage } from '../../src/testing/sample-images.ts';
import { load } from '../../src/verbs/load/load.ts';
import { save } from '../../src/verbs/save/save.ts';
import { promote } from '../../src/verbs/promote/promote.ts';
import { sign } from '../../src/verbs/sign.ts';
import { imageFiles, zipped } from '../gitlab/artifacts.ts';
import { tempFolderInMemory } from '../layout/folders.ts';
import { FakeGitLab, JOB_TOKEN } from '../support/fake-gitlab.ts';
import { FakeRegistry } from '../support/fake-registry.ts';
import { MemoryEndpoint } from '../support/memory-endpoint.ts';
import { zip } from '../support/zip-bytes.ts';
import { contextOf } from './contexts.ts';

let count = 0;

/** A layer in the artifact of a job. */
interface Base {
  id: number;
  name: string;
  text: string;
}

/** New layers, each in the artifact of a job of its own. */
function makeBases(n: number): Base[] {
  return Array.from({ length: n }, (_, i) => ({
    id: 100 + i,
    name: `build-${i}`,
    text: `${count++} of a job`,
  }));
}

async function startGitLab(bases: readonly Base[]): Promise<FakeGitLab> {
  const jobs = bases.map(({ id, name, text }) => ({
    id,
    name,
    archive: zip(zipped(imageFiles(sampleImage([text]), 'app:1', `.drayage/${id}`))),
    expireAt: '2999-01-01T00:00:00.000Z',
  }));
  return FakeGitLab.start({ jobs, describes: true });
}

/** A layout with an image over each of these lists of bases. It has all layers, or omits those of the bases. */
async function layoutOver(lists: readonly Base[][], omitsAt?: string): Promise<Layout> {
  const layout = await Layout.create(tempFolderInMemory());
  await layout.update(async (content) => {
    for (const [i, bases] of lists.entries()) {
      const image = sampleImage([...bases.map(({ text }) => text), `own ${i}`]);
      const annotations = omitsAt === undefined ? {} : statesBases(image, bases, omitsAt);
      const without = omitsAt === undefined ? [] : image.layers.slice(0, -1);
      await addSample(content, image, [`app:${i}`], annotations, without);
    }
  });
  return layout;
}

function statesBases(
  { layers }: SampleImage,
  bases: readonly Base[],
  server: string,
): Record<string, string> {
  const places = bases.map(({ id }, i) => {
    const place = { server, project: '12', job: `${id}`, path: `.drayage/${id}` };
    return [layers[i]?.digest ?? expect.fail(), place] as const;
  });
  return {
    [OMITTED_LAYERS]: `${bases.length}`,
    [BASE_JOBS]: baseJobsAnnotation(new Map(places)) ?? expect.fail(),
  };
}

const QUERIES: Record<string, BaseJobOptions> = {
  'of a branch': { ref: ['main'] },
  'of a pipeline': { pipeline: '7' },
};
const SHAPES: Record<string, (bases: Base[]) => Base[][]> = {
  'of one image': (bases) => [bases],
  'of as many images': (bases) => bases.map((base) => [base]),
};

const statement = (): Buffer => Buffer.from('{}');

/** What is run with the base jobs: the names of the options, the layouts, and the artifacts. */
type Run = (run: {
  options: BaseJobOptions;
  artifacts: Artifacts;
  context: ReturnType<typeof contextOf>;
  /** With all layers, and without those of the bases. */
  layouts: { whole: Layout; thin: Layout };
}) => Promise<unknown>;

const VERBS: Record<string, Run> = {
  save: async ({ options, artifacts, context, layouts }) => {
    const baseJobs = await openBaseJobs(options, artifacts, context);
    const to = await Layout.create(tempFolderInMemory());
    const { images } = await save({ from: layouts.whole, to, baseJobs });
    const omitted = images.flatMap(({ layers }) => layers.filter(({ status }) => status === 'omitted'));
    expect(omitted).toHaveLength(options.baseJob?.length ?? 0);
  },
  sign: async ({ options, artifacts, context, layouts: { thin } }) => {
    const baseJobs = await openTrustedJobs(options, artifacts, context);
    await sign({ layout: thin, baseJobs, statement, sign: async (bytes) => bytes, now: new Date(0) });
  },
  promote: async ({ options, artifacts, context, layouts: { thin } }) => {
    const baseJobs = await openTrustedJobs(options, artifacts, context);
    const registry = await FakeRegistry.start();
    await using registries = new Registries();
    const promotions = (name: string): string[] => [`${registry.host}/${name}`];
    const { images } = await promote({
      from: [thin],
      promotions,
      registries,
      baseJobs,
      openJob: artifacts.openJob,
    });
    expect(images.length).toBeGreaterThan(0);
  },
  // It opens the artifacts that the images name.
  load: async ({ artifacts, layouts: { thin } }) => {
    const openBase = baseOpener({ openJob: artifacts.openJob });
    await load({ from: [thin], to: new MemoryEndpoint(), openBase });
  },
};

/** What n base jobs cost. */
async function costOf(
  n: number,
  run: Run,
  query: BaseJobOptions,
  shape: (bases: Base[]) => Base[][],
): Promise<{ requests: number; lists: number; documents: number; bytes: number }> {
  const bases = makeBases(n);
  const gitlab = await startGitLab(bases);
  const context = contextOf({ CI_API_V4_URL: gitlab.url, CI_JOB_TOKEN: JOB_TOKEN, CI_PROJECT_ID: '12' });
  const server = gitlab.url.replace('/api/v4', '');
  const layouts = {
    whole: await layoutOver(shape(bases)),
    thin: await layoutOver(shape(bases), server),
  };
  const budget = new Budget();
  await withBudget(async () => {
    await using artifacts = lazyArtifacts({}, context);
    await run({ options: { ...query, baseJob: bases.map(({ name }) => name) }, artifacts, context, layouts });
  }, budget);
  expect(context.notes).toEqual([]);
  const lists = gitlab.seen.filter(({ url }) => /\/pipelines\/\d+\/jobs/.test(url)).length;
  return { requests: gitlab.seen.length, lists, documents: budget.spent.documents, bytes: gitlab.sent };
}

test.each(
  Object.entries(VERBS).flatMap(([verb, run]) =>
    Object.entries(QUERIES).flatMap(([whose, query]) =>
      Object.entries(SHAPES).map(([of, shape]) => [verb, whose, of, run, query, shape] as const),
    ),
  ),
)(
  '%s with twice as many base jobs %s, %s, costs at most twice as much',
  async (_verb, _whose, _of, run, query, shape) => {
    const [few, many] = [await costOf(5, run, query, shape), await costOf(10, run, query, shape)];
    expect(few.requests).toBeGreaterThan(0);
    expect(many.requests).toBeLessThanOrEqual(2 * few.requests);
    expect(many.documents).toBeLessThanOrEqual(2 * few.documents);
    // The jobs of one pipeline are listed once.
    expect([few.lists, many.lists].every((lists) => lists <= 1)).toBe(true);
  },
);
