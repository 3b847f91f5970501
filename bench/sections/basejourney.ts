/** From the builder to the next job's daemon, both with yesterday's image: adopted and thin, against push and pull. */
import { existsSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FakeGitLab } from '../../test/support/fake-gitlab.ts';
import { inJob, bytesOf, clear, ourLoad } from '../commands.ts';
import type { Race } from '../contender.ts';
import { measure } from '../measure.ts';
import type { Builder } from '../builder.ts';
import { adopt, build, change, image, layout, NAME, REFERENCE } from '../builder.ts';

const PUSH = 'docker push, docker pull';
const OURS = 'ours, adopt with a base job, zip -0, load';
const BY_JOB = 'ours, adopt with a base job, zip -0, load --job';
const YESTERDAY = 'bench/yesterday:1';

/** The race between the daemons of a builder. */
export async function journeyRace(builder: Builder): Promise<Race> {
  const { daemon, test, registry, lab } = builder;
  const clearJob = clear(join(lab.folder, 'job'));
  const gitlab = await artifactOfYesterday(builder);
  const before = async (): Promise<void> => {
    await clearJob();
    await registry.restore();
    await haveYesterday(builder);
    await change(builder);
    await measure(`mkdir -p job && ${build(builder, `${image()} ${layout()}`)}`, lab);
    await daemon.run('tag', NAME, REFERENCE);
  };
  const save = inJob(adopt(lab, '--base-job build --pipeline 1'), gitlab);
  const zip = '(cd job && zip -q -r -0 artifact.zip layout && unzip -q artifact.zip -d restored)';
  const load = ourLoad(lab.node24, `job/restored/layout --private --host ${test.host}`);
  const upload = '(cd job && mkdir .drayage && mv layout .drayage/2 && zip -q -r -0 artifact.zip .drayage)';
  const loadJob = inJob(ourLoad(lab.node24, `--job-id 2 --project 12 --private --host ${test.host}`), gitlab);
  let stored = 0;
  return {
    title: `of what buildx wrote, from ${daemon.kind} to ${daemon.kind}`,
    about:
      'BuildKit has written an image as an image and as a layout. Its last layer, 1 MB, is new; the registry, the test daemon ' +
      "and yesterday's artifact have the others. The build is not in the figures. Bytes are those of the artifact, or those " +
      'that the registry came to store.',
    serverCpu: () => daemon.cpuSeconds() + test.cpuSeconds() + registry.cpuSeconds(),
    contenders: [
      {
        name: PUSH,
        command: `${daemon.docker} push -q ${REFERENCE} && ${test.docker} pull -q ${REFERENCE}`,
        before: async () => {
          await before();
          stored = await registry.bytes();
        },
        bytes: async () => (await registry.bytes()) - stored,
      },
      {
        name: OURS,
        ours: true,
        command: `${save} && ${zip} && ${load}`,
        before,
        bytes: () => bytesOf(join(lab.folder, 'job/artifact.zip')),
      },
      {
        name: BY_JOB,
        ours: true,
        command: `${save} && ${upload} && ${loadJob}`,
        before: async () => {
          await before();
          // Layouts on disk would save requests.
          await clear(join(lab.folder, '.drayage'))();
        },
        bytes: () => bytesOf(join(lab.folder, 'job/artifact.zip')),
      },
    ],
    goals: [OURS, BY_JOB].map((ours) => ({ ours, against: PUSH, atMost: 1.5 })),
  };
}

/** A GitLab that has the image of the registry's snapshot, as its builder wrote it, and later the artifact of job 2. */
async function artifactOfYesterday(builder: Builder): Promise<FakeGitLab> {
  const { lab } = builder;
  const write = `rm -rf job && mkdir -p job .drayage && ${build(builder, layout())}`;
  await measure(`${write} && mv job/layout .drayage/1 && zip -q -r -0 1.zip .drayage/1`, lab);
  const archive = await readFile(join(lab.folder, '1.zip'));
  const today = {
    id: 2,
    name: 'today',
    get archive() {
      const path = join(lab.folder, 'job/artifact.zip');
      return existsSync(path) ? readFileSync(path) : Buffer.alloc(0);
    },
  };
  const jobs = [{ id: 1, name: 'build', archive }, today];
  const gitlab = await FakeGitLab.open({ jobs, describes: true });
  lab.defer(() => gitlab.stop());
  return gitlab;
}

/** The test daemon has yesterday's image, and no later one. */
async function haveYesterday({ test }: Builder): Promise<void> {
  for (const name of [NAME, REFERENCE]) await test.remove(name);
  if (await test.has(YESTERDAY)) return;
  await test.run('pull', '--quiet', REFERENCE);
  await test.run('tag', REFERENCE, YESTERDAY);
  await test.run('rmi', REFERENCE);
}
