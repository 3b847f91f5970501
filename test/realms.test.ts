import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { once } from 'node:events';
import { beforeEach, expect, test } from 'vitest';
import { fixturePath } from './support/fixtures.ts';
import { largeArchive } from './support/large-archive.ts';
import { temporaryFolder } from './support/temporary-folder.ts';

const run = promisify(execFile);
const LIBRARY = new URL('../dist/index.js', import.meta.url).href;
const VITEST = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs');

let cwd: string;
let script: string;
beforeEach(async () => {
  cwd = await temporaryFolder();
  await writeFile(join(cwd, 'large.tar'), largeArchive());
  script = `
    import { connectDocker, isDrayageError, Layout, Registries, save } from ${JSON.stringify(LIBRARY)};
    import { createReadStream } from 'node:fs';
    const failure = async (what) => what().then(() => undefined, (error) => error);
    const done = async () => {
      const absent = await failure(() => Layout.open(${JSON.stringify(join(cwd, 'absent'))}));
      const noDaemon = await failure(() => connectDocker({ host: 'unix:///nowhere/docker.sock' }));
      const registries = new Registries();
      const repository = await registries.repository('127.0.0.1:1/app');
      const noRegistry = await failure(() => repository.describe('1'));
      const { images } = await save({
        from: { archive: createReadStream(${JSON.stringify(fixturePath('demo.tar'))}) },
        to: await Layout.create(${JSON.stringify(join(cwd, 'layout'))}),
      });
      let threads = 0;
      process.on('worker', () => void threads++);
      const large = await save({
        from: { archive: createReadStream(${JSON.stringify(join(cwd, 'large.tar'))}) },
        to: await Layout.create(${JSON.stringify(join(cwd, 'large'))}),
        concurrency: 2,
      });
      const global = Object.getOwnPropertySymbols(globalThis).map(String);
      return {
        codes: [absent, noDaemon, noRegistry].map((error) => isDrayageError(error) && error.code),
        images: images.length,
        large: large.images.length,
        isOnThreads: threads > 0,
        dispatchers: global.filter((name) => name.includes('undici.globalDispatcher')),
      };
    };
    const EXPECTED = ${JSON.stringify({ codes: ['NOT_FOUND', 'UNREACHABLE', 'UNREACHABLE'], images: 2, large: 1, isOnThreads: true, dispatchers: [] })};
  `;
});

test.each(['threads', 'forks', 'vmThreads', 'vmForks'])(
  "the library works in vitest's %s",
  async (pool) => {
    await writeFile(
      join(cwd, 'a.test.mjs'),
      `${script}\ntest('works', async () => expect(await done()).toEqual(EXPECTED));`,
    );
    await writeFile(
      join(cwd, 'vitest.config.mjs'),
      `export default { test: { include: ['a.test.mjs'], globals: true, testTimeout: 60_000 } };`,
    );
    const { stdout } = await run(process.execPath, [VITEST, 'run', '--pool', pool], { cwd });
    expect(stdout).toContain('1 passed');
  },
  60_000,
);

test("the library works in a worker thread, and leaves undici's global dispatcher alone", async () => {
  const file = join(cwd, 'worker.mjs');
  await writeFile(
    file,
    `${script}\nimport { parentPort } from 'node:worker_threads';\nparentPort.postMessage([await done(), EXPECTED]);`,
  );
  const worker = new Worker(file);
  const [[result, expected]] = (await once(worker, 'message')) as [[object, object]];
  await worker.terminate();
  expect(result).toEqual(expected);
}, 60_000);
