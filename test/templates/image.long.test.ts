import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import { spawnSync } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { makeCargo } from '../docker/cargo.ts';
import { FakeDaemon } from '../support/fake-daemon.ts';
import { FakeRegistry } from '../support/fake-registry.ts';
import { fixturePath } from '../support/fixtures.ts';
import { PIPELINE } from '../support/gitlab-job.ts';
import { JobChain } from '../support/job-chain.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import type { Job, Ran } from './pipeline.ts';
import { documents, inputsOf, merge, runJob, ship } from './pipeline.ts';

const ROOT = new URL('../../', import.meta.url);
const BIN = fileURLToPath(new URL('dist/cli/bin.js', ROOT));
const COMPONENT = documents(readFileSync(new URL('templates/image/template.yml', ROOT), 'utf8'));
const { PATH = '' } = process.env;

let home: string;
let fake: FakeDaemon;
/** Where the built command line is, and its checksum. */
let inputs: Record<string, string>;
beforeEach(async () => {
  home = await temporaryFolder();
  fake = await FakeDaemon.start();
  await mkdir(join(home, 'bin'));
  inputs = inputsFor(await program('drayage', `exec "${process.execPath}" "${BIN}" "$@"`));
});

/** Makes a program of a shell script, and returns its path. */
async function program(name: string, script: string): Promise<string> {
  const path = join(home, 'bin', name);
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
  return path;
}

/** A file by its address, with its own checksum. */
function inputsFor(path: string, url: string = path): Record<string, string> {
  return { url, sha256: createHash('sha256').update(readFileSync(path)).digest('hex') };
}

const environment = (name: string, id: string): Record<string, string> => ({
  ...PIPELINE,
  PATH: `${join(home, 'bin')}:${PATH}`,
  HOME: home,
  CI_JOB_NAME: name,
  CI_JOB_ID: id,
  DRAYAGE_HOST: fake.host,
});

/** Runs `build`, ships its artifact, and runs `test`; what GitLab would not do after a failure is not done. */
async function run(
  pipeline: string,
  env: Record<string, string> = {},
  given: Record<string, string> = {},
): Promise<{ build: Ran; test?: Ran }> {
  const jobs = merge(COMPONENT, { ...inputs, ...given }, pipeline);
  const job = (name: string): Job => jobs.get(name) ?? {};
  const [from, to] = [join(home, 'build'), join(home, 'test')];
  const ofBuild = { ...environment('build', '123'), DRAYAGE_FROM: fixturePath('demo.tar'), ...env };
  const build = await runJob(job('build'), from, ofBuild);
  if (build.code !== 0) return { build };
  await ship(job('build'), from, to, ofBuild);
  return { build, test: await runJob(job('test'), to, environment('test', '124')) };
}

const TEST = `
test:
  extends: .drayage-load
  script:
    - !reference [.drayage-load, script]
    - sh -c 'echo "got $DRAYAGE_DRAYAGE_DEMO_API_REF"'
  after_script:
    - !reference [.drayage-unload, after_script]
    - echo test cleans up
`;

describe('the component', () => {
  test('has a header with inputs, each described; what says whose code runs has no default', () => {
    expect(COMPONENT).toHaveLength(2);
    expect(Object.keys(COMPONENT[0] ?? {})).toEqual(['spec']);
    const declared = Object.entries(inputsOf(COMPONENT));
    expect(declared.map(([name]) => name)).toEqual([
      'url',
      'sha256',
      'expire_in',
      'access',
      'compress',
      'adopt',
      'base_job',
      'keep',
      'sticky',
    ]);
    for (const [name, { description, default: value, regex = '', options }] of declared) {
      expect(description).not.toBe('');
      expect(value === undefined).toBe(name === 'url' || name === 'sha256');
      expect(value ?? inputs[name]).toMatch(new RegExp(regex));
      expect(options ?? [value]).toContain(value);
    }
  });

  test('has hidden jobs only, and no global keyword', () => {
    expect(Object.keys(COMPONENT[1] ?? {}).filter((name) => !name.startsWith('.drayage'))).toEqual([]);
  });

  test('keeps images for a week and from guests, stores them as they are, and tries again what may help', () => {
    const save = merge(COMPONENT, inputs, '{}').get('.drayage-save');
    expect(save?.artifacts).toMatchObject({ expire_in: '1 week', access: 'developer' });
    expect(save?.variables).toEqual({ FF_USE_FASTZIP: 'true', ARTIFACT_COMPRESSION_LEVEL: 'fastest' });
    expect(save?.retry).toEqual({ max: 1, exit_codes: [3, 4] });
    const given = { expire_in: '2 days', access: 'none' };
    expect(merge(COMPONENT, { ...inputs, ...given }, '{}').get('.drayage-save')?.artifacts).toMatchObject(
      given,
    );
  });
});

describe('the image travels', () => {
  test('to a job that gets its variables, and out of its daemon again', async () => {
    const { build, test: tested } = await run(`
build:
  extends: .drayage-save
  script:
    - !reference [.drayage-save, script]
${TEST}`);
    expect(build).toMatchObject({ code: 0 });
    expect(tested).toMatchObject({ code: 0 });
    expect(tested?.output).toMatch(/^got drayage-demo\/api:pipeline-4711-[0-9a-f]{12}$/m);
    expect(fake.loads).not.toEqual([]);
    expect(tested?.output).toMatch(/: removed$/m);
    expect(fake.images.flatMap(({ names }) => names)).toEqual([]);
  });

  test.each([
    [
      'beside scripts of its own, wherever they have changed to',
      `
  extends: .drayage-save
  before_script: [echo prepare]
  script:
    - mkdir -p sub/folder && cd sub/folder
    - !reference [.drayage-save, script]
  after_script: [echo clean up]`,
      ['prepare', 'clean up'],
    ],
    [
      'without extends',
      `
  script:
    - !reference [.drayage-save, script]
  artifacts: !reference [.drayage-save, artifacts]`,
      [],
    ],
    [
      'beside other artifacts',
      `
  extends: .drayage-save
  script:
    - mkdir out && echo result > out/file
    - !reference [.drayage-save, script]
  artifacts:
    paths: [out, .drayage/$CI_JOB_ID]`,
      [],
    ],
  ])('out of a job %s', async (_, job, said) => {
    const { build, test: tested } = await run(`build:${job}\n${TEST}`);
    expect(build).toMatchObject({ code: 0 });
    for (const line of said) expect(build.output).toContain(`${line}\n`);
    expect(tested).toMatchObject({ code: 0 });
    expect(tested?.output).toContain('got drayage-demo/api:pipeline-4711-');
    expect(tested?.output).toContain('test cleans up\n');
  });

  test('as a builder wrote it into the layout of the job, if the input says so', async () => {
    const layout = join(home, 'written');
    await program('builder', `mkdir -p .drayage && cp -r ${layout} ".drayage/$CI_JOB_ID"`);
    const args = ['save', '--from', fixturePath('demo.tar'), '--out', layout];
    expect(spawnSync(process.execPath, [BIN, ...args], { env: { PATH } }).status).toBe(0);
    const job = `
build:
  extends: .drayage-save
  script:
    - builder
    - !reference [.drayage-save, script]
${TEST}`;
    const env = { DRAYAGE_FROM: '', DRAYAGE_IMAGES: 'drayage-demo/api:1.0' };
    const { build, test: tested } = await run(job, env, { adopt: 'true' });
    expect(build).toMatchObject({ code: 0 });
    expect(build.output).toContain('drayage-demo/worker:1.0: not adopted');
    expect(tested?.output).toContain('got drayage-demo/api:pipeline-4711-');
  });

  test.each<[string, Record<string, string>, Record<string, string>, string]>([
    ['are too few', {}, {}, 'is not used: GitLab may delete its artifact'],
    ['are enough if the input says so', { keep: '1d' }, {}, 'are omitted: job 1 of project 12 has them'],
    [
      'are enough if the job says so',
      {},
      { DRAYAGE_KEEP: '1d' },
      'are omitted: job 1 of project 12 has them',
    ],
  ])('beside a base job that is kept for two days, which %s', async (_, given, env, told) => {
    const chain = await JobChain.start();
    const expires = new Date(Date.now() + 2 * 24 * 3600 * 1000).toISOString();
    await chain.pipeline('1', makeCargo({ layers: ['base'] }), [], expires);
    const all = {
      ...environment('build', '2'),
      ...chain.envOf('2'),
      DRAYAGE_FROM: join(chain.cwd, 'built'),
      ...env,
    };
    const job = merge(COMPONENT, { ...inputs, base_job: 'build', ...given }, '{}').get('.drayage-save') ?? {};
    const { code, output } = await runJob(job, home, all);
    expect([code, output]).toEqual([0, expect.stringContaining(told)]);
  });

  test('compressed as the input says, unless the job says otherwise', async () => {
    const jobs = merge(COMPONENT, { ...inputs, compress: 'none' }, '{}');
    for (const [id, env, type] of [
      ['1', {}, 'tar"'],
      ['2', { DRAYAGE_COMPRESS: 'gzip' }, 'tar+gzip'],
    ] as const) {
      const all = {
        ...environment('build', id),
        DRAYAGE_FROM: fixturePath('demo.tar'),
        DRAYAGE_JSON: '1',
        ...env,
      };
      const { code, output } = await runJob(jobs.get('.drayage-save') ?? {}, home, all);
      expect([code, output]).toEqual([0, expect.stringContaining(type)]);
    }
  });
});

describe('the image is promoted', () => {
  test.each([
    [{ DRAYAGE_PROMOTE: 'drayage-demo/api:1.0 HOST/api:1 HOST/api:$CI_PIPELINE_ID' }, ['api:1', 'api:4711']],
    [
      { DRAYAGE_ALL: '1', DRAYAGE_TO: 'HOST/{name}:{tag} HOST/{name}:latest' },
      [
        'drayage-demo/api:1.0',
        'drayage-demo/api:latest',
        'drayage-demo/worker:1.0',
        'drayage-demo/worker:latest',
      ],
    ],
  ])('to where %j says, by one pipeline at a time', async (variables, expected) => {
    const registry = await FakeRegistry.start();
    const { build } = await run(
      'build: { extends: .drayage-save, script: [!reference [.drayage-save, script]] }',
    );
    expect(build).toMatchObject({ code: 0 });
    const job = merge(COMPONENT, inputs, 'promote: { extends: .drayage-promote }').get('promote') ?? {};
    expect(job).toMatchObject({ resource_group: 'drayage-promote', retry: { exit_codes: [3, 4] } });
    const given = Object.entries(variables).map(([name, value]) => [
      name,
      value.replaceAll('HOST', registry.host),
    ]);
    const env = { ...environment('promote', '125'), ...Object.fromEntries(given) };
    expect(await runJob(job, join(home, 'build'), env)).toMatchObject({ code: 0 });
    const tags = [...registry.store.repositories].flatMap(([path, held]) =>
      [...held.tags.keys()].map((tag) => `${path}:${tag}`),
    );
    expect(tags.toSorted()).toEqual(expected);
    expect(readFileSync(join(home, 'build/.drayage/report.env'), 'utf8')).toContain(`${registry.host}/`);
  });
});

describe('or a job fails', () => {
  test.each([
    [
      'whose own artifacts leave the layout out',
      'script: [!reference [.drayage-save, script]]\n  artifacts: { paths: [out] }',
    ],
    ['that does not call the script', 'script: [echo forgotten]'],
  ])('after one %s, with what may have been the matter', async (_, job) => {
    const { build, test: tested } = await run(`build:\n  extends: .drayage-save\n  ${job}\n${TEST}`);
    expect(build.code).toBe(0);
    expect(tested?.code).toBe(4);
    expect(tested?.output).toContain('artifacts:paths');
    expect(tested?.output).not.toContain('got ');
  });

  test('when the image is not there', async () => {
    const job = 'build:\n  extends: .drayage-save\n  script: [!reference [.drayage-save, script]]\n';
    const { build } = await run(job + TEST, { DRAYAGE_IMAGES: 'app:1 app:2' });
    expect(build.code).toBe(4);
    expect(build.output).toContain('no image "app:1"');
  });
});

/** A PATH without Node.js, but with what every image has, and these programs. */
async function programs(scripts: Record<string, string>): Promise<string> {
  const common = ['sh', 'mkdir', 'cp', 'chmod', 'rm', 'cut', 'sha256sum', 'mktemp', 'tar', 'gzip'];
  for (const name of common) await symlink(`/usr/bin/${name}`, join(home, 'bin', name));
  for (const [name, script] of Object.entries(scripts)) await program(name, script);
  return join(home, 'bin');
}

/** What a program prints that the job runs twice. */
function twice(what: string): Ran {
  return { code: 0, output: `${what} save --out x\n${what} load\n` };
}

describe('where drayage comes from', () => {
  const JOB = 'job: { script: [!reference [.drayage, script], drayage save --out x, drayage load] }';
  const runWith = async (
    given: Record<string, string>,
    path: string,
    env: Record<string, string> = {},
  ): Promise<Ran> =>
    runJob(merge(COMPONENT, given, JOB).get('job') ?? {}, join(home, 'project'), {
      ...environment('build', '1'),
      PATH: path,
      ...env,
    });

  test('a file of the project', async () => {
    const path = await programs({});
    const own = inputsFor(await program('own', 'echo "own $*"'), '../bin/own');
    expect(await runWith(own, path)).toEqual(twice('own'));
  });

  test('the single file, which Node.js runs', async () => {
    const path = await programs({ node: 'echo "node ${1##*/} $2 $3 $4"' });
    const { output } = await runWith(inputsFor(await program('drayage.mjs', '')), path);
    expect(output).toBe('node drayage.mjs save --out x\nnode drayage.mjs load  \n');
  });

  test('the single file on Alpine, which gets Node.js first', async () => {
    const node = '#!/bin/sh\\necho "node ${1##*/} $2"\\n';
    const apk = `echo "apk $*"; printf '${node}' > "\${0%/*}/node"; chmod +x "\${0%/*}/node"`;
    const { output } = await runWith(inputsFor(await program('drayage.mjs', '')), await programs({ apk }));
    expect(output).toBe('apk add --quiet --no-cache nodejs\nnode drayage.mjs save\nnode drayage.mjs load\n');
  });

  test('the single file in another image without Node.js is a failure that says what to take', async () => {
    const { code, output } = await runWith(inputsFor(await program('drayage.mjs', '')), await programs({}));
    expect([code, output]).toEqual([1, expect.stringContaining('drayage-linux-….tar.gz')]);
  });

  test('an executable in its archive, which needs no Node.js', async () => {
    const path = await programs({});
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'drayage'), '#!/bin/sh\necho "executable $*"\n', { mode: 0o755 });
    const archive = join(home, 'drayage-linux-amd64.tar.gz');
    expect(spawnSync('tar', ['-czf', archive, '-C', folder, 'drayage']).status).toBe(0);
    expect(await runWith(inputsFor(archive), path)).toEqual(twice('executable'));
  });

  test('an address: fetched once for a job, with the job token where it is of this GitLab', async () => {
    const requests: string[] = [];
    const file = await program('fetched', 'echo "fetched $*"');
    const server = createServer(({ url, headers }, response) => {
      requests.push(`${url} ${String(headers['job-token'])}`);
      response.end(readFileSync(file));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const host = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const env = { CI_API_V4_URL: `${host}/api/v4`, CI_JOB_TOKEN: 'secret' };
    expect(await runWith(inputsFor(file, `${host}/fetched`), PATH, env)).toEqual(twice('fetched'));
    expect(await runWith(inputsFor(file, `${host}/api/v4/other`), PATH, env)).toEqual(twice('fetched'));
    expect(requests).toEqual(['/fetched undefined', '/api/v4/other secret']);
  });

  test.each([
    ['another file', '0'.repeat(64)],
    ['a file whose checksum nobody gave', ''],
  ])('never runs %s', async (_, sha256) => {
    const path = await programs({});
    const own = inputsFor(await program('own', 'echo "own $*"'));
    const { code, output } = await runWith({ ...own, sha256 }, path);
    expect([code, output]).toEqual([5, expect.stringContaining(`has the SHA-256 ${own['sha256']}`)]);
    expect(output).not.toContain('own save');
  });

  test('never runs what took the place of the checked file', async () => {
    const path = await programs({});
    const own = inputsFor(await program('own', 'echo "own $*"'), '../bin/own');
    const planted = join(home, 'project/.drayage/.program');
    await mkdir(planted, { recursive: true });
    await writeFile(join(planted, 'own'), '#!/bin/sh\necho planted\n', { mode: 0o755 });
    expect(await runWith(own, path)).toEqual(twice('own'));
  });
});
