import { existsSync } from 'node:fs';
import { chmod, cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { InspectResult } from '../../src/index.ts';
import type { SampleImage } from '../../src/testing/sample-images.ts';
import { sampleImage } from '../../src/testing/sample-images.ts';
import { buildkitEntry, entryOf, writeBuilderLayout } from '../support/builder-layout.ts';
import { drayageJson } from '../support/cli.ts';
import type { FakeJob } from '../support/fake-gitlab.ts';
import { FakeGitLab, JOB_TOKEN } from '../support/fake-gitlab.ts';
import { listFiles } from '../support/list-files.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import type { TestDaemon } from './support/daemons.ts';
import { skipReason, startDaemon } from './support/daemons.ts';
import {
  artifactOf,
  BUSYBOX,
  commitAll,
  hasPipelinePrograms,
  printedBy,
  runPipeline,
} from './support/local-pipeline.ts';
import type { CommandResult } from './support/run-command.ts';

const ROOT = new URL('../../', import.meta.url);
const COMMAND_LINE = fileURLToPath(new URL('dist/cli/bin.js', ROOT));
const PIPELINE = '4711';
const COMMIT = 'a'.repeat(40);

/** The pipelines that the guides show, in their order. */
const SNIPPETS = [
  'build-test',
  'fastzip',
  'load-job',
  'matrix',
  'compose',
  'compose.yml',
  'trigger',
  'child.yml',
  'builder',
  'buildctl',
  'kaniko',
  'ko',
  'platforms',
  'sweep',
  'sticky',
  'base-job',
  'cache',
  'base-layout',
] as const;
type Snippet = (typeof SNIPPETS)[number];

const guide = await readFile(new URL('docs/gitlab.md', ROOT), 'utf8');
const ofThin = await readFile(new URL('docs/thin.md', ROOT), 'utf8');
const texts = [...`${guide}\n${ofThin}`.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text = '']) => text);

/** The text of a snippet, as the guide has it. */
function snippet(name: Snippet): string {
  const text = texts[SNIPPETS.indexOf(name)];
  if (text === undefined) throw new Error(`the guides have no ${name}`);
  return text;
}

test('each pipeline of the guides is run by a test of this file', () => {
  expect(texts.map((text) => text.split('\n')[0])).toEqual([
    'stages: [build, test]',
    'variables:',
    'test:',
    'part:',
    'compose:',
    '# compose.yml',
    'child:',
    '# child.yml',
    'build:',
    'build:',
    'kaniko:',
    'build:',
    'build:',
    'sweep:',
    'default:',
    'build:',
    'test:',
    'build:',
  ]);
});

const skip =
  (['docker-28-containerd', 'docker-28-graph'] as const).some((kind) => skipReason(kind) !== undefined) ||
  !hasPipelinePrograms();

describe.skipIf(skip)('a pipeline of the guide', () => {
  let daemon: TestDaemon;
  beforeAll(async () => {
    daemon = await startDaemon('docker-28-containerd');
  });
  afterAll(() => daemon.stop());

  const runSnippets = async (parts: readonly string[], more: Partial<Guided> = {}): Promise<Ran> =>
    expectPassed(
      await runGuided({ ...more, parts, variables: { DOCKER_HOST: daemon.host, ...more.variables } }),
    );
  const leftReferences = async (): Promise<string[]> => {
    const { stdout } = await daemon.docker(['image', 'ls', '--format', '{{.Repository}}:{{.Tag}}']);
    return stdout.split('\n').filter((name) => /:(pipeline|drayage)-/.test(name));
  };

  test.each([
    ['builds, tests and throws away', ['build-test'] as const],
    ['takes the variables of a faster archive', ['build-test', 'fastzip'] as const],
  ])('%s', async (_, names) => {
    const ran = await runSnippets(names.map(snippet));
    expect(ran.printedBy('test')).toContain('tested test');
    expect(await leftReferences()).toEqual([]);
  });

  test('loads what is in the artifact of a job, which it does not restore', async () => {
    const folder = await temporaryFolder();
    const gitlab = await FakeGitLab.start({
      get jobs() {
        return artifactOf('build', folder);
      },
    });
    const ran = await runSnippets([snippet('build-test'), snippet('load-job')], {
      folder,
      variables: { CI_API_V4_URL: gitlab.url, CI_JOB_TOKEN: JOB_TOKEN },
    });
    expect(ran.printedBy('test')).toContain('tested test');
    expect(gitlab.ranges.length).toBeGreaterThan(0);
  });

  test('builds each image in a job of a matrix', async () => {
    const ran = await runSnippets([snippet('matrix')]);
    expect(ran.printedBy('e2e')).toEqual(expect.arrayContaining(['this is api', 'this is worker']));
    expect(await leftReferences()).toEqual([]);
  });

  test('composes the images, beside what .env had', async () => {
    const existing = '# of the project\nTOKEN="a=b"\nDRAYAGE_API_REF=api:stale\nDRAYAGE_CACHE=/cache\n';
    const ran = await runSnippets([snippet('matrix'), snippet('compose')], {
      files: {
        'compose.yml': snippet('compose.yml'),
        'compose.override.yml': JSON.stringify({ services: { api: SERVICE, worker: SERVICE } }),
        '.env': existing,
      },
    });
    const printed = ran.printedBy('compose');
    for (const name of ['api', 'worker'])
      expect(printed).toContainEqual(
        expect.stringMatching(new RegExp(`^running ${name}:pipeline-${PIPELINE}-[0-9a-f]{12} a=b$`)),
      );
    expect(printed).toEqual(
      expect.arrayContaining(['.env: # of the project', '.env: TOKEN="a=b"', '.env: DRAYAGE_CACHE=/cache']),
    );
    expect(printed.filter((line) => line.startsWith('.env: DRAYAGE_API_REF='))).toEqual([
      expect.stringMatching(/=api:pipeline-/),
    ]);
    expect(await leftReferences()).toEqual([]);
  });

  test('hands its image to a child pipeline, which the variables of the trigger job let load it', async () => {
    const parent = await runSnippets([snippet('build-test')]);
    // The runner of this machine has no artifacts of other pipelines, and passes variables on before it expands them.
    const artifact = join(parent.repository, '.gitlab-ci-local/artifacts/build/.drayage');
    const restored = `test: { before_script: ["cp -r '${artifact}' ."] }\n`;
    const { child } = parse(snippet('trigger')) as { child: { variables: Record<string, string> } };
    const variables = Object.fromEntries(
      Object.entries(child.variables).map(([key, value]) => [
        key,
        value.replace('$CI_PIPELINE_ID', PIPELINE),
      ]),
    );
    const below = { DOCKER_HOST: daemon.host, CI_PIPELINE_ID: '4712' };
    const parts = [snippet('child.yml'), restored];
    const ran = expectPassed(await runGuided({ parts, variables: { ...below, ...variables } }));
    expect(ran.printedBy('test')).toContain('tested test');
    const refused = await runGuided({ parts, variables: { ...below, PARENT_PIPELINE_ID: PIPELINE } });
    expect(refused.code).not.toBe(0);
    expect(refused.stdout + refused.stderr).toContain(`--expect pipeline=${PIPELINE}`);
  });

  test('starts a child pipeline', async () => {
    const started = 'below:\n  script: [echo child of $CI_PIPELINE_SOURCE]\n';
    const ran = await runSnippets([snippet('build-test'), snippet('trigger')], {
      files: { 'child.yml': started },
    });
    expect(ran.stdout).toContain('child of parent_pipeline');
  });

  test('adopts the layout that buildx wrote', async () => {
    const load =
      'test:\n  needs: [build]\n  script:\n    - drayage load\n    - docker run --rm "$DRAYAGE_APP_REF" npm test\n  after_script: [drayage unload]\n';
    const ran = await runSnippets([snippet('builder'), load]);
    expect(ran.printedBy('build')).toContainEqual(expect.stringContaining(' 0 B new'));
    expect(ran.printedBy('test')).toContain('tested test');
  });

  test.each([
    ['buildctl', 'buildctl'],
    ['kaniko', 'executor'],
    ['ko', 'ko'],
  ] as const)('adopts a layout as %s writes it', async (name, program) => {
    const folder = await temporaryFolder();
    const image = sampleImage([`built by ${name}`]);
    const written = join(folder, 'written');
    const entry = name === 'buildctl' ? buildkitEntry(image, 'app', '1') : entryOf(image);
    await writeBuilderLayout(written, { content: [image], entries: [entry] });
    const load = 'test:\n  needs: [build]\n  script: ["drayage load -i app:1 --to docker-archive:app.tar"]\n';
    const ran = await runSnippets([snippet(name), load], {
      folder,
      variables: { KANIKO_IMAGE: 'kaniko' },
      programs: { [program]: standIn(written, image) },
    });
    expect(ran.printedBy('build')).toContainEqual(expect.stringContaining(' 0 B new'));
  });

  describe('builds each platform in a job of a matrix, and merges them into one image', () => {
    const use = [
      'use:',
      '  stage: test',
      '  needs: [app]',
      '  script:',
      '    - drayage load',
      '    - docker run --rm "$DRAYAGE_APP_REF" npm platform',
      '  after_script: [drayage unload]',
      '',
    ].join('\n');
    test('as layouts, with a containerd store', async () => {
      await expectMerged(await runSnippets([snippet('platforms'), use]));
    });

    test("under one name, with docker's own store", async () => {
      const own = await startDaemon('docker-28-graph');
      try {
        const script = /`(docker build --platform [^`]+)` and `(drayage save [^`]+)`/.exec(guide)?.slice(1);
        const parts = [snippet('platforms'), `build: ${JSON.stringify({ script })}\n`, use];
        await expectMerged(await runSnippets(parts, { variables: { DOCKER_HOST: own.host } }));
      } finally {
        await own.stop();
      }
    });
  });

  test('sweeps a long-lived daemon if it is scheduled, and only then', async () => {
    const scheduled = await runSnippets([snippet('sweep')], {
      variables: { CI_PIPELINE_SOURCE: 'schedule' },
    });
    expect(scheduled.stdout).toContain('drayage unload --older-than 24h');
    const pushed = await runSnippets([snippet('sweep')], { variables: { CI_PIPELINE_SOURCE: 'push' } });
    expect(pushed.stdout).not.toContain('drayage unload');
  });

  test('leaves the image in the daemon that its jobs share, and gives it back at its end', async () => {
    const ran = await runSnippets([snippet('sticky')]);
    expect(ran.printedBy('test')).toContain('tested test');
    const files = await listFiles(join(ran.repository, '.gitlab-ci-local/artifacts/build/.drayage'));
    expect(files.length).toBeGreaterThan(0);
    for (const { size } of files) expect(size).toBeLessThan(10_000);
    expect(await leftReferences()).toEqual([]);
  });

  test('stores what no earlier pipeline has, fills a cache, and stores all of it if it is scheduled', async () => {
    const kept: FakeJob[] = [];
    let folder = '';
    const gitlab = await FakeGitLab.start({
      describes: true,
      get jobs() {
        return [...artifactsIn('build', folder), ...kept];
      },
    });
    const expireAt = new Date(Date.now() + 13 * 24 * 3600 * 1000).toISOString();
    const runNext = async (source: string, firstJob: number, ...more: string[]): Promise<Ran> => {
      kept.unshift(...artifactsIn('build', folder).map((job) => ({ ...job, expireAt })));
      folder = await temporaryFolder();
      return runSnippets([snippet('base-job'), snippet('cache'), ...more], {
        folder,
        firstJob,
        variables: {
          CI_API_V4_URL: gitlab.url,
          CI_JOB_TOKEN: JOB_TOKEN,
          CI_DEFAULT_BRANCH: 'main',
          CI_PIPELINE_SOURCE: source,
        },
      });
    };
    const told = expect.stringContaining('are omitted: ');
    expect((await runNext('push', 100_000)).printedBy('build')).not.toContainEqual(told);
    expect((await runNext('schedule', 200_000)).printedBy('build')).not.toContainEqual(told);
    // The job that loads finds nothing of what the other one built.
    const emptied = 'test: { before_script: ["docker system prune --all --force"] }\n';
    const ran = await runNext('push', 300_000, emptied);
    expect(ran.printedBy('build')).toContainEqual(
      expect.stringContaining('are omitted: job 200000 of project'),
    );
    const cached = await listFiles(join(ran.repository, '.gitlab-ci-local/cache'));
    expect(cached.filter(({ path }) => path.includes('.drayage-cache/')).length).toBeGreaterThan(0);
  });

  test('leaves the layers of the first job out of the artifact of the second one', async () => {
    const extended = 'FROM app:1\nCOPY what /more\n';
    const ran = await runSnippets([snippet('base-layout')], { files: { 'test.Dockerfile': extended } });
    const cwd = join(ran.repository, '.gitlab-ci-local/artifacts/extend');
    const { images } = await drayageJson<InspectResult>(['inspect', '.drayage/extend'], { cwd });
    expect(images).toMatchObject([{ names: ['app-test:1'], omitted: [{ where: 'another layout' }] }]);
    expect(ran.printedBy('test').join('\n')).toContain('app-test:1');
  });
});

/** The artifact of a job, if it has run in this folder. */
function artifactsIn(job: string, folder: string): FakeJob[] {
  return existsSync(join(folder, 'app/.gitlab-ci-local/artifacts', job)) ? artifactOf(job, folder) : [];
}

/** A pipeline of the guide, and what is beside it. */
interface Guided {
  /** The texts of `.gitlab-ci.yml`. A job of a later one goes over the job of that name in an earlier one. */
  parts: readonly string[];
  files?: Readonly<Record<string, string>> | undefined;
  variables: Readonly<Record<string, string>>;
  /** Where it runs. */
  folder?: string | undefined;
  /** The ID of its first job. */
  firstJob?: number | undefined;
  /** More programs of its jobs: shell scripts by name. */
  programs?: Readonly<Record<string, string>> | undefined;
}

/** Stands for a builder: writes this layout where the arguments say, and tells the digest in each of the three ways. */
function standIn(layout: string, { root }: SampleImage): string {
  const metadata = { 'containerimage.digest': root.digest, 'image.name': 'app:1' };
  return `while [ $# -gt 0 ]; do
  case $1 in
    --output) dest=\${2#*dest=}; dest=\${dest%%,*} ;;
    --oci-layout-path) dest=$2 ;;
    --metadata-file) echo '${JSON.stringify(metadata)}' >"$2" ;;
    --digest-file) printf ${root.digest} >"$2" ;;
  esac
  shift
done
mkdir -p "\${dest%/*}" && cp -r '${layout}' "$dest" && echo "$dest@${root.digest}"`;
}

interface Ran extends CommandResult {
  repository: string;
  printedBy: (job: string) => string[];
}

/** One image of two platforms came out of the job that merges, and runs. */
async function expectMerged(ran: Ran): Promise<void> {
  expect(ran.printedBy('use')).toContain('built for amd64');
  const artifact = join(ran.repository, '.gitlab-ci-local/artifacts/app');
  const args = ['inspect', ...(await readdir(join(artifact, '.drayage'))).map((id) => `.drayage/${id}`)];
  const { images } = await drayageJson<InspectResult>(args, { cwd: artifact });
  expect(images.map(({ names, platform }) => [...names, platform])).toEqual([
    ['app:latest', 'linux/amd64'],
    ['app:latest', 'linux/arm64'],
  ]);
}

/** If it did not pass, its output says why. */
function expectPassed(ran: Ran): Ran {
  expect(`${ran.code}\n${ran.code === 0 ? '' : ran.stdout + ran.stderr}`).toBe('0\n');
  return ran;
}

/** Runs a pipeline in a repository whose images can say what they are. */
async function runGuided({
  parts,
  files = {},
  variables,
  folder,
  firstJob,
  programs: more,
}: Guided): Promise<Ran> {
  const home = folder ?? (await temporaryFolder());
  const repository = join(home, 'app');
  const names = parts.map((_, i) => `part-${i}.yml`);
  const all: Record<string, string> = {
    ...files,
    ...Object.fromEntries(parts.map((text, i) => [`part-${i}.yml`, text])),
    '.gitlab-ci.yml': JSON.stringify({ include: names.map((local) => ({ local })) }),
  };
  for (const context of ['.', 'api', 'worker']) {
    all[join(context, 'Dockerfile')] = DOCKERFILE;
    all[join(context, 'what')] = `this is ${context}\n`;
    all[join(context, 'npm')] = NPM_IN_IMAGE;
  }
  for (const [name, text] of Object.entries(all)) {
    await mkdir(dirname(join(repository, name)), { recursive: true });
    await writeFile(join(repository, name), text);
  }
  for (const context of ['.', 'api', 'worker']) {
    await chmod(join(repository, context, 'npm'), 0o755);
    await cp(BUSYBOX, join(repository, context, 'busybox'));
  }
  await commitAll(repository, home);
  const programs = { ...more, drayage: `exec node '${COMMAND_LINE}' "$@"`, npm: NPM_OF_JOBS };
  const result = await runPipeline(repository, {
    folder: home,
    firstJob,
    variables: { CI_PIPELINE_ID: PIPELINE, CI_COMMIT_SHA: COMMIT, ...variables },
    programs,
  });
  return { ...result, repository, printedBy: (job) => printedBy(job, result) };
}

const DOCKERFILE = `FROM scratch
ARG TARGETARCH
COPY busybox /bin/busybox
COPY npm /bin/npm
COPY what /what
ENV TARGETARCH=$TARGETARCH
CMD ["/bin/busybox", "cat", "/what"]
`;

/** Stands for the tests that are in an image. */
const NPM_IN_IMAGE = `#!/bin/busybox sh
if [ "$1" = platform ]; then echo "built for $TARGETARCH"; else echo "tested $1"; fi
`;

/** What a project may add: here services stay up, and the daemon has no network. */
const SERVICE = {
  command: ['/bin/busybox', 'sleep', '600'],
  stop_signal: 'SIGKILL',
  network_mode: 'none',
  labels: { token: '${TOKEN}' },
};

/** Stands for the tests that use composed services. */
const NPM_OF_JOBS = `docker ps --format '{{.Image}} {{.Label "token"}}' | sed 's/^/running /'
sed 's/^/.env: /' .env`;
