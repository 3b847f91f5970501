import { createHash } from 'node:crypto';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { FakeJob } from '../support/fake-gitlab.ts';
import { FakeGitLab, JOB_TOKEN } from '../support/fake-gitlab.ts';
import { freePort } from '../support/front.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import type { TestDaemon } from './support/daemons.ts';
import { skipReason, startDaemon } from './support/daemons.ts';
import {
  artifactOf,
  BUSYBOX,
  commitAll,
  hasPipelinePrograms,
  listJobs,
  printedBy,
  runPipeline,
  SYSTEM_PATH,
} from './support/local-pipeline.ts';
import type { TestRegistry } from './support/registry.ts';
import { registrySkipReason, startRegistry } from './support/registry.ts';
import type { CommandResult } from './support/run-command.ts';
import { run } from './support/run-command.ts';

const ROOT = new URL('../../', import.meta.url);
const BUNDLER = fileURLToPath(new URL('scripts/release/bundle.mjs', ROOT));
const PIPELINE = '4711';

/** Two kinds of store: what the one calls an image the other does not. */
const KINDS = ['docker-28-containerd', 'docker-20.10'] as const;
const skip =
  KINDS.some((kind) => skipReason(kind) !== undefined) ||
  registrySkipReason() !== undefined ||
  !hasPipelinePrograms();

describe.skipIf(skip)('a pipeline that uses the component, run by gitlab-ci-local with isolated jobs', () => {
  let folder: string;
  const daemons: TestDaemon[] = [];
  let registry: TestRegistry;
  let ran: CommandResult;
  const said = (job: string): string[] => printedBy(job, ran);

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'drayage-pipeline-'));
    registry = await startRegistry();
    // The second one pulls what was promoted: it stays where the registry is.
    const near = { listen: ['-H', `tcp://127.0.0.1:${await freePort()}`] };
    for (const kind of KINDS) daemons.push(await startDaemon(kind, kind === KINDS[1] ? near : {}));
    const repository = await makeRepository(folder);
    const [build, tests] = daemons.map(({ host }) => host);
    const variables = {
      CI_PIPELINE_ID: PIPELINE,
      BUILD_HOST: build ?? '',
      TEST_HOST: tests ?? '',
      REGISTRY: registry.host,
      BUSYBOX,
    };
    ran = await runPipeline(repository, { folder, variables });
  });
  afterAll(async () => {
    for (const daemon of daemons) await daemon.stop();
    await registry?.stop();
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  test('passes', () => {
    expect(`${ran.code}\n${ran.code === 0 ? '' : ran.stdout + ran.stderr}`).toBe('0\n');
  });

  test('the test job runs what the build jobs built, under tags of this pipeline', () => {
    const output = said('test');
    expect(output).toContainEqual(expect.stringMatching(/^api of \d+$/));
    expect(output.filter((line) => /^worker of \d+$/.test(line))).toHaveLength(2);
  });

  test('the variables of the build jobs reach the test job before it has loaded anything', () => {
    expect(said('test')).toContainEqual(
      expect.stringMatching(/^told api:pipeline-4711-[0-9a-f]{12} extended:pipeline-4711-[0-9a-f]{12}$/),
    );
  });

  test('what the test job loaded is gone when it has ended', () => {
    expect(said('test')).toContainEqual(expect.stringMatching(/^gone api:pipeline-4711-/));
  });

  test('an image that was made on top of another one runs, and no blob of the first is in its artifact', async () => {
    expect(said('test')).toContainEqual(expect.stringMatching(/^extended by \d+$/));
    const [first = [], second = []] = await Promise.all(
      ['build-api', 'extend'].map((job) => blobsOf(folder, job)),
    );
    expect(first).not.toEqual([]);
    // A config, a manifest, and the one layer that it adds.
    expect(second).toHaveLength(3);
    expect(second.filter((blob) => first.includes(blob))).toEqual([]);
  });

  test('what was tested is promoted under its digest, whole, and a following job gets it by its variable', async () => {
    const told = (job: string, pattern: RegExp): string[] =>
      said(job).flatMap((line) => pattern.exec(line)?.slice(1) ?? []);
    const [digest, id] = told('test', /^tested (sha256:[0-9a-f]{64}) (sha256:[0-9a-f]{64})$/);
    expect(digest).toBeDefined();
    expect(told('deploy', /^deployed (\S+) (\S+)$/)).toEqual([
      `${registry.host}/group/extended@${digest}`,
      id,
    ]);
    expect(said('deploy')).toContainEqual(expect.stringMatching(/^extended by \d+$/));
    for (const tag of [`1.${PIPELINE}`, 'latest']) {
      const url = `http://${registry.host}/v2/group/extended/manifests/${tag}`;
      const answer = await fetch(url, { headers: { accept: 'application/vnd.oci.image.manifest.v1+json' } });
      expect(answer.headers.get('docker-content-digest')).toBe(digest);
    }
  });

  test('a dozen images come with one load, and a compose file names them by variables', () => {
    const there = said('compose').filter((line) => line.startsWith('there '));
    expect(new Set(there).size).toBe(12);
    for (const line of there) expect(line).toMatch(/^there service-\d+:pipeline-4711-[0-9a-f]{12}$/);
  });

  test('a job of another pipeline refuses the image, and says what would accept it', () => {
    const output = said('refused');
    expect(output).toContainEqual(expect.stringContaining('pipeline is 4711, not 1'));
    expect(output).toContainEqual(expect.stringContaining('--expect pipeline=4711'));
    expect(output).not.toContain('never');
  });

  test('a job that takes no artifacts is told so', () => {
    const output = said('forgotten');
    expect(output).toContainEqual(expect.stringContaining('artifacts: false'));
    expect(output).not.toContain('never');
  });
});

/** A pipeline whose images rest on those of an earlier one. */
const BASED = `
include:
  - component: $CI_SERVER_FQDN/$CI_PROJECT_PATH/image@$CI_COMMIT_SHA
    inputs: { url: tools/drayage.mjs, sha256: SHA256_OF_DRAYAGE, base_job: build }
stages: [build, test]
build:
  stage: build
  extends: .drayage-save
  variables: { DOCKER_HOST: $BUILD_HOST, DRAYAGE_IMAGES: app, DOCKER_BUILDKIT: '0' }
  script:
    - cp "$BUSYBOX" busybox
    - echo "built in $CI_PIPELINE_ID" > text
    - docker build --quiet --tag app .
    - !reference [.drayage-save, script]
test:
  stage: test
  extends: .drayage-load
  needs: [build]
  variables: { DOCKER_HOST: $TEST_HOST }
  script:
    - !reference [.drayage-load, script]
    - docker run --rm --network none "$DRAYAGE_APP_REF"
  after_script:
    - !reference [.drayage-unload, after_script]
`;

describe.skipIf(skip)('pipelines in a row, whose component names a base job', () => {
  const daemons: TestDaemon[] = [];
  beforeAll(async () => {
    for (let i = 0; i < 2; i++) daemons.push(await startDaemon('docker-28-graph'));
  });
  afterAll(() => Promise.all(daemons.map((daemon) => daemon.stop())));

  test('store what is new, and run all of it in a daemon that has nothing', async () => {
    const jobs: FakeJob[] = [];
    const gitlab = await FakeGitLab.start({ jobs });
    const [build, tests] = daemons.map(({ host }) => host);
    const blobs: string[][] = [];
    for (const pipeline of [4711, 4712]) {
      const folder = await temporaryFolder();
      const ran = await runPipeline(await makeRepository(folder, undefined, BASED), {
        folder,
        firstJob: pipeline * 100,
        variables: {
          CI_PIPELINE_ID: `${pipeline}`,
          CI_DEFAULT_BRANCH: 'main',
          CI_API_V4_URL: gitlab.url,
          CI_JOB_TOKEN: JOB_TOKEN,
          BUILD_HOST: build ?? '',
          TEST_HOST: tests ?? '',
          BUSYBOX,
        },
      });
      expect(`${ran.code}\n${ran.code === 0 ? '' : ran.stdout + ran.stderr}`).toBe('0\n');
      expect(printedBy('test', ran)).toContain(`built in ${pipeline}`);
      blobs.push(await blobsOf(folder, 'build'));
      jobs.unshift(...artifactOf('build', folder));
    }
    const [first = [], second = []] = blobs;
    // The second one stores a config, a manifest, and the layer that changed.
    expect([first.length, second.length]).toEqual([4, 3]);
    expect(second.filter((blob) => first.includes(blob))).toEqual([]);
    expect(gitlab.ranges.length).toBeGreaterThan(0);
  });
});

describe.skipIf(!hasPipelinePrograms())(
  "the component, with a pipeline that uses it, and GitLab's schema of pipelines",
  () => {
    test('fit', async () => {
      const { code, stdout } = await listEdited((template) => template);
      expect([code, stdout]).toEqual([0, expect.stringContaining('build-api')]);
    });

    test('do not fit where a key is misspelt', async () => {
      const { code, stdout, stderr } = await listEdited((template) =>
        template.replace('    expire_in: $', '    expires_in: $'),
      );
      expect(code).not.toBe(0);
      expect(stdout + stderr).toContain(
        "'expires_in' property is not expected to be here at build-api.artifacts",
      );
    });
  },
);

describe.skipIf(!hasPipelinePrograms())("the project's own pipeline and GitLab's schema of pipelines", () => {
  test.each([
    ['fit', '', 0, 'system'],
    ['do not fit where a key is misspelt', 'interruptable', 1, 'interruptable'],
  ])('%s', async (_, misspelt, expected, said) => {
    const folder = await mkdtemp(join(tmpdir(), 'drayage-own-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const text = await readFile(new URL('.gitlab-ci.yml', ROOT), 'utf8');
    const pipeline = misspelt === '' ? text : text.replaceAll('interruptible', misspelt);
    await writeFile(join(folder, '.gitlab-ci.yml'), pipeline);
    await commitAll(folder, folder);
    const { code, stdout, stderr } = await listJobs(folder, folder);
    expect([code, stdout + stderr]).toEqual([expected, expect.stringContaining(said)]);
  });
});

/** What is found when a pipeline is read: all jobs are held against the schema before any is listed. */
async function listEdited(spoil: (template: string) => string): Promise<CommandResult> {
  const folder = await mkdtemp(join(tmpdir(), 'drayage-schema-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const repository = await makeRepository(folder, spoil);
  return listJobs(repository, folder);
}

/**
 * A repository of a project that has the component as its own.
 * @param pipeline in place of the pipeline of `test/system/pipeline`
 */
async function makeRepository(
  folder: string,
  edit: (template: string) => string = (template) => template,
  pipeline?: string,
): Promise<string> {
  const repository = join(folder, 'app');
  await cp(fileURLToPath(new URL('test/system/pipeline', ROOT)), repository, { recursive: true });
  if (pipeline !== undefined) await writeFile(join(repository, '.gitlab-ci.yml'), pipeline);
  await cp(fileURLToPath(new URL('templates', ROOT)), join(repository, 'templates'), { recursive: true });
  const template = join(repository, 'templates/image/template.yml');
  await writeFile(template, edit(await readFile(template, 'utf8')));
  await addProgram(repository);
  await commitAll(repository, folder);
  return repository;
}

/** Puts the single file of a release into a repository, and its checksum into the pipeline. */
async function addProgram(repository: string): Promise<void> {
  const tools = join(repository, 'tools');
  await mkdir(tools);
  const script = `import(${JSON.stringify(BUNDLER)}).then((made) => made.makeBundle(process.argv[1]))`;
  const { code, stderr } = await run(process.execPath, ['-e', script, tools], { env: { PATH: SYSTEM_PATH } });
  if (code !== 0) throw new Error(`the single file cannot be made: ${stderr}`);
  const program = await readFile(join(tools, 'drayage.mjs'));
  const sha256 = createHash('sha256').update(program).digest('hex');
  const pipeline = join(repository, '.gitlab-ci.yml');
  const text = await readFile(pipeline, 'utf8');
  await writeFile(pipeline, text.replace('SHA256_OF_DRAYAGE', sha256));
}

/** The blobs of the layouts in a job's artifact. */
async function blobsOf(folder: string, job: string): Promise<string[]> {
  const artifact = join(folder, 'app/.gitlab-ci-local/artifacts', job, '.drayage');
  const files = await readdir(artifact, { recursive: true });
  return files.flatMap((file) => /blobs\/sha256\/([0-9a-f]{64})$/.exec(file)?.[1] ?? []);
}
