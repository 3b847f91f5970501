import { chmod, cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CliResult } from '../support/cli.ts';
import { drayage } from '../support/cli.ts';
import { openFront } from '../support/front.ts';
import { SIGNING_JOB, TAKING_JOB } from '../support/gitlab-job.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import type { TestDaemon } from './support/daemons.ts';
import { skipReason, startDaemon } from './support/daemons.ts';
import { buildTinyImage } from './support/images.ts';

/** Docker's official images for Node and others have this user. */
const USER = 1000;

/** Folders of one runner. It clones and restores as root, with umask 0, whoever runs the job. */
interface Runner {
  root: string;
  host: string;
}

async function startRunner(daemon: TestDaemon): Promise<Runner> {
  const root = await temporaryFolder();
  await chmod(root, 0o755);
  for (const [name, mode] of [
    ['home-of-root', 0o700],
    ['tmp', 0o1777],
  ] as const) {
    await mkdir(join(root, name));
    await chmod(join(root, name), mode);
  }
  // As a dind service without TLS, which a job reaches as tcp://docker:2375.
  return { root, host: `tcp://127.0.0.1:${await openFront(daemon.socket)}` };
}

/** The workspace of a job, as the runner makes it. */
async function workspace({ root }: Runner, name: string): Promise<string> {
  const path = join(root, 'builds', name);
  await mkdir(path, { recursive: true });
  await writeFile(join(path, 'Dockerfile'), 'FROM scratch\n');
  for (const open of [path, join(path, 'Dockerfile')]) await chmod(open, 0o777);
  return path;
}

/** Restores an artifact. Its folders and files keep their modes, and belong to root. */
async function restore(from: string, to: string): Promise<void> {
  await mkdir(join(to, '.drayage'));
  await chmod(join(to, '.drayage'), 0o777);
  await cp(join(from, '.drayage/123'), join(to, '.drayage/123'), { recursive: true });
}

const JOBS: [title: string, umask: string, env: (runner: Runner) => Record<string, string>][] = [
  ['without a home', '022', () => ({ HOME: '' })],
  ['with umask 0, as the runner sets it', '000', () => ({ HOME: '/' })],
  [
    "with the home of root, and the runner's own TMPDIR",
    '027',
    ({ root }) => ({
      HOME: join(root, 'home-of-root'),
      TMPDIR: join(root, 'tmp'),
    }),
  ],
];

describe.skipIf(skipReason('docker-28-graph') !== undefined)(
  'jobs that are not root, beside a daemon of their own',
  () => {
    let daemon: TestDaemon;
    beforeAll(async () => {
      daemon = await startDaemon('docker-28-graph');
      await buildTinyImage(daemon, ['app:1']);
    });
    afterAll(() => daemon.stop());

    test.each(JOBS)('%s carry an image', async (_, umask, own) => {
      const runner = await startRunner(daemon);
      const [build, tests] = [await workspace(runner, 'build'), await workspace(runner, 'test')];
      const run = async (cwd: string, ...args: string[]): Promise<CliResult> => {
        const job = cwd === build ? SIGNING_JOB : TAKING_JOB;
        const env = { ...job, CI_PROJECT_DIR: cwd, DOCKER_HOST: runner.host, ...own(runner) };
        const result = await drayage(args, { cwd, uid: USER, before: `umask ${umask}`, env });
        expect(`${args.join(' ')}: ${result.code} ${result.code === 0 ? '' : result.stderr}`).toBe(
          `${args.join(' ')}: 0 `,
        );
        return result;
      };

      await run(build, 'doctor', 'app:1');
      await run(build, 'save', 'app:1', '--env', 'APP_IMAGE');
      await run(build, 'verify');
      await restore(build, tests);
      const { stdout } = await run(tests, 'load', '-q', '--dotenv', '.env');
      const reference = stdout.trim();
      expect(await readFile(join(tests, '.env'), 'utf8')).toContain(`DRAYAGE_APP_REF=${reference}`);
      expect(await daemon.docker(['image', 'inspect', reference])).toMatchObject({ code: 0 });
      await run(tests, 'verify');
      await run(tests, 'merge');
      await run(tests, 'inspect', '.drayage/124', '--html', 'page.html');
      await run(tests, 'load', '.drayage/124', '--to', 'docker-archive:app.tar');
      await run(tests, 'unload');
      expect(await daemon.docker(['image', 'inspect', reference])).not.toMatchObject({ code: 0 });

      // What jobs leave is what they report, and nothing of it is staging.
      expect((await readdir(join(tests, '.drayage'))).toSorted()).toEqual([
        '123',
        '124',
        'annotations.json',
        'report.env',
      ]);
      expect(await readdir(join(tests, '.drayage/123'))).toEqual(await readdir(join(build, '.drayage/123')));
      expect((await readdir(join(runner.root, 'tmp'))).filter((name) => name.startsWith('drayage-'))).toEqual(
        [],
      );
    });
  },
);
