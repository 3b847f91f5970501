import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import type * as Promises from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { ImagePlace } from '../../src/content/image-index.ts';
import { provenanceOfBuild } from '../../src/attest/statement.ts';
import { readBuild } from '../../src/ci/gitlab/build.ts';
import { OMITTED_LAYERS } from '../../src/image/annotations.ts';
import { Layout } from '../../src/layout/layout.ts';
import { MemoryStore } from '../../src/memory/memory-store.ts';
import { addSample, sampleImage } from '../../src/testing/sample-images.ts';
import { fetchImages } from '../../src/verbs/fetch.ts';
import { merge } from '../../src/verbs/merge.ts';
import { prune } from '../../src/verbs/prune.ts';
import { saveReference } from '../../src/verbs/save-reference.ts';
import { save } from '../../src/verbs/save/save.ts';
import { sign } from '../../src/verbs/sign.ts';
import { verify } from '../../src/verbs/verify/verify.ts';
import { makeCargo } from '../docker/cargo.ts';
import { PRODUCED } from '../support/archives/producers.ts';
import { SIGNING_JOB } from '../support/gitlab-job.ts';
import { LastingDaemon } from '../support/lasting-daemon.ts';
import { faults, inject } from './faulty-disk.ts';
import { ageLeftovers, snapshot, tempFolderInMemory } from './folders.ts';

vi.mock('node:fs/promises', async (original) => {
  const { faulty } = await import('./faulty-disk.ts');
  return faulty(await original<typeof Promises>());
});

const CODES = ['ENOSPC', 'EMFILE', 'EROFS', 'EACCES', 'EIO'];
/** Each code at each call takes five rounds, and a quarter of an hour: one round has each call fail once. */
const ROUNDS = CODES.slice(0, Number(process.env['DRAYAGE_FAULT_ROUNDS'] ?? 1)).map((_, round) => round);
/** Hundreds of runs: long where others use the disk. */
const SLOW = { timeout: 300_000 };

const BUILD = readBuild(SIGNING_JOB);
const KEPT = sampleImage(['base', 'kept']);
const GONE = sampleImage(['base', 'gone']);
const CARGO = makeCargo({ layers: ['base', 'app'] });
const ARCHIVE = PRODUCED[0]?.archive ?? Buffer.alloc(0);

/** What a layout of these images is made of. */
async function otherPlace(): Promise<ImagePlace> {
  const store = new MemoryStore();
  const [app, web] = [sampleImage(['base', 'app']), sampleImage(['web'])];
  await store.update(async (content) => {
    await addSample(content, app, ['app:1']);
    await addSample(content, web, ['web:1']);
  });
  return store;
}

/** A place whose image omits the layer that {@link otherPlace} has. */
async function thinPlace(): Promise<ImagePlace> {
  const store = new MemoryStore();
  const app = sampleImage(['base', 'app']);
  await store.update((content) =>
    addSample(content, app, ['app:1'], { [OMITTED_LAYERS]: '1' }, app.layers.slice(0, 1)),
  );
  return store;
}

/** A daemon that outlasts its jobs, with one image. */
async function lastingDaemon(): Promise<LastingDaemon> {
  const daemon = new LastingDaemon();
  await daemon.hold(CARGO.root, CARGO.source, ['app:1']);
  return daemon;
}

async function* archiveBytes(): AsyncGenerator<Uint8Array, void, undefined> {
  yield ARCHIVE;
}

/** What is done to a layout that holds the images `kept:1` and `gone:1`. */
const VERBS: Record<string, (layout: Layout) => Promise<unknown>> = {
  save: async (to) => save({ from: { archive: archiveBytes() }, to, compress: 'gzip' }),
  fetch: async (to) => fetchImages({ from: [await otherPlace()], to }),
  merge: async (to) => merge({ from: [await otherPlace()], to }),
  'fetch that completes': async (to) =>
    fetchImages({
      from: [await thinPlace()],
      to,
      others: [await otherPlace()],
      complete: async () => undefined,
    }),
  'save against a base': async (to) =>
    save({ from: await otherPlace(), to, baseLayouts: [await otherPlace()] }),
  'save of a reference': async (to) => saveReference({ from: await lastingDaemon(), images: ['app:1'], to }),
  prune: async (layout) => prune({ layout, images: ['gone:1'] }),
  sign: async (layout) =>
    sign({ layout, statement: provenanceOfBuild(BUILD), sign: async (text) => text, now: new Date(0) }),
};

let template: string;
beforeAll(async () => {
  template = mkdtempSync(join(tmpdir(), 'drayage-template-'));
  const layout = await Layout.create(join(template, 'layout'));
  await layout.update(async (content) => {
    await addSample(content, KEPT, ['kept:1']);
    await addSample(content, GONE, ['gone:1']);
  });
});
afterAll(() => rmSync(template, { recursive: true }));

async function place(): Promise<{ folder: string; layout: Layout }> {
  const folder = tempFolderInMemory();
  cpSync(template, folder, { recursive: true });
  return { folder, layout: await Layout.open(join(folder, 'layout')) };
}

/** Whatever happened, the layout opens, is intact, and has the image that nothing was done to. */
async function assertIntact(path: string, what: string): Promise<void> {
  const layout = await Layout.open(path);
  expect((await verify({ layout })).problems, what).toEqual([]);
  expect(
    (await layout.images()).flatMap(({ names }) => names),
    what,
  ).toContain('kept:1');
}

beforeEach(() => inject());

describe.each(Object.entries(VERBS))('%s', (verb, run) => {
  /** The files after a run without faults, and how many calls it makes that a fault can hit. */
  async function clean(reads: boolean): Promise<{ files: string[]; calls: number }> {
    const { folder, layout } = await place();
    inject({ reads });
    await run(layout);
    const { count: calls } = faults;
    inject();
    return { files: snapshot(folder), calls };
  }

  /** After the fault: the next run completes, and leaves what a run without faults leaves. */
  async function assertCompletes(folder: string, files: readonly string[], what: string): Promise<void> {
    ageLeftovers(folder);
    const layout = await Layout.open(join(folder, 'layout'));
    await run(layout).catch(async (error: unknown) => {
      if (verb !== 'prune') throw error;
      // The name has gone, and only blobs are left.
      await prune({ layout });
    });
    expect(snapshot(folder), what).toEqual(files);
  }

  /** Runs with a fault at each call, and gives their number. */
  async function failEach(codeOf: (call: number) => string): Promise<number> {
    const { files, calls } = await clean(true);
    expect(calls).toBeGreaterThan(10);
    for (let i = 1; i <= calls; i++) {
      const { folder, layout } = await place();
      const before = snapshot(folder);
      const code = codeOf(i);
      const what = `${verb}, ${code} at call ${i}`;
      inject({ failAt: i, code, reads: true });
      const error = await run(layout).catch((thrown: unknown) => thrown);
      inject();
      await assertIntact(layout.path, what);
      if (error instanceof Error) {
        expect(error, what).toMatchObject({ code: 'IO', facts: { actual: code, path: expect.any(String) } });
        // A prune removes blobs when nothing names them any more.
        if (verb !== 'prune') expect(snapshot(folder), what).toEqual(before);
      }
      await assertCompletes(folder, files, what);
    }
    return calls;
  }

  test.each(ROUNDS)(
    'changes nothing or all, whichever call fails, and completes in the next run: round %i',
    SLOW,
    async (round) => {
      const calls = await failEach((call) => CODES[(call + round) % CODES.length] ?? 'EIO');
      console.log(`${verb}: ${calls} faults`);
    },
  );

  test(
    'leaves the images whole, whichever call it is killed at, and completes in the next run',
    SLOW,
    async () => {
      const { files, calls } = await clean(false);
      for (let i = 1; i <= calls; i++) {
        const { folder, layout } = await place();
        inject({ failAt: i, forGood: true });
        await run(layout).catch(() => {});
        inject();
        await assertIntact(layout.path, `${verb}, killed at call ${i}`);
        await assertCompletes(folder, files, `${verb}, killed at call ${i}`);
      }
      console.log(`${verb}: killed at ${calls} calls`);
    },
  );
});
