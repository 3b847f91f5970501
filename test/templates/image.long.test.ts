import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { chmod, mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { header, padded } from '../support/archives/tar-bytes.ts';
import { FakeDaemon } from '../support/fake-daemon.ts';
import { FakeRegistry } from '../support/fake-registry.ts';
import { fixturePath } from '../support/fixtures.ts';
import { PIPELINE } from '../support/gitlab-job.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import type { Job, Ran } from './pipeline.ts';
import { documents, inputsOf, merge, runJob, ship } from './pipeline.ts';

const ROOT = new URL('../../', import.meta.url);
const BIN = fileURLToPath(new URL('dist/cli/bin.js', ROOT));
/** A program in the job's image. */
const PROGRAM = 'drayage-of-the-image';
const COMPONENT = documents(readFileSync(new URL('templates/image/template.yml', ROOT), 'utf8'));
const { PATH = '' } = process.env;

let home: string;
let fake: FakeDaemon;
beforeEach(async () => {
  home = await temporaryFolder();
  fake = await FakeDaemon.start();
  await mkdir(join(home, 'bin'));
  await program(PROGRAM, `exec "${process.execPath}" "${BIN}" "$@"`);
});

/** Makes a program of a shell script. */
async function program(name: string, script: string): Promise<void> {
  await writeFile(join(home, 'bin', name), `#!/bin/sh\n${script}\n`);
  await chmod(join(home, 'bin', name), 0o755);
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
async function run(pipeline: string, env: Record<string, string> = {}): Promise<{ build: Ran; test?: Ran }> {
  const jobs = merge(COMPONENT, { from: PROGRAM }, pipeline);
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
  test('has a header with inputs, each described and with a default that it accepts itself', () => {
    expect(COMPONENT).toHaveLength(2);
    expect(Object.keys(COMPONENT[0] ?? {})).toEqual(['spec']);
    const inputs = Object.entries(inputsOf(COMPONENT));
    expect(inputs.map(([name]) => name)).toEqual([
      'version',
      'from',
      'sha256',
      'expire_in',
      'access',
      'compress',
    ]);
    for (const [, { description, default: value, regex = '', options }] of inputs) {
      expect(description).not.toBe('');
      expect(value).toMatch(new RegExp(regex));
      expect(options ?? [value]).toContain(value);
    }
  });

  test('takes the version of this package', () => {
    const { version } = JSON.parse(readFileSync(new URL('package.json', ROOT), 'utf8')) as {
      version: string;
    };
    expect(inputsOf(COMPONENT)['version']?.default).toBe(version);
  });

  test('has hidden jobs only, and no global keyword', () => {
    expect(Object.keys(COMPONENT[1] ?? {}).filter((name) => !name.startsWith('.drayage'))).toEqual([]);
  });

  test('keeps images for a week and from guests, stores them as they are, and tries again what may help', () => {
    const save = merge(COMPONENT, {}, '{}').get('.drayage-save');
    expect(save?.artifacts).toMatchObject({ expire_in: '1 week', access: 'developer' });
    expect(save?.variables).toEqual({ FF_USE_FASTZIP: 'true', ARTIFACT_COMPRESSION_LEVEL: 'fastest' });
    expect(save?.retry).toEqual({ max: 1, exit_codes: [3, 4] });
    const given = { expire_in: '2 days', access: 'none' };
    expect(merge(COMPONENT, given, '{}').get('.drayage-save')?.artifacts).toMatchObject(given);
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

  test('compressed as the input says, unless the job says otherwise', async () => {
    const jobs = merge(COMPONENT, { from: PROGRAM, compress: 'none' }, '{}');
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
    const job =
      merge(COMPONENT, { from: PROGRAM }, 'promote: { extends: .drayage-promote }').get('promote') ?? {};
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

/** A PATH without Node.js, but with these programs. */
async function programs(scripts: Record<string, string>): Promise<string> {
  for (const name of ['sh', 'mkdir', 'cp', 'chmod']) await symlink(`/bin/${name}`, join(home, 'bin', name));
  for (const [name, script] of Object.entries(scripts)) await program(name, script);
  return join(home, 'bin');
}

describe('where drayage comes from', () => {
  const JOB = 'job: { script: [!reference [.drayage, script], drayage save --out x] }';
  const runWith = async (inputs: Record<string, string>, path: string): Promise<Ran> =>
    runJob(merge(COMPONENT, inputs, JOB).get('job') ?? {}, join(home, 'project'), {
      ...environment('build', '1'),
      PATH: path,
    });

  test('npm, by its version', async () => {
    const path = await programs({ node: '', npx: 'echo "npx $*"' });
    expect(await runWith({ version: '1.2.3' }, path)).toEqual({
      code: 0,
      output: 'npx --yes drayage@1.2.3 save --out x\n',
    });
  });

  test('a program on the PATH, or in the project', async () => {
    const path = await programs({ node: '', drayage: 'echo "own $*"' });
    for (const from of ['drayage', '../bin/drayage']) {
      expect(await runWith({ from }, path)).toEqual({ code: 0, output: 'own save --out x\n' });
    }
  });

  test('Alpine gets Node.js first', async () => {
    const install = 'echo "apk $*"; for name in node npx; do cp "$0" "${0%/*}/$name"; done';
    const path = await programs({ apk: `case $0 in */apk) ${install} ;; *) echo "npx $*" ;; esac` });
    expect((await runWith({ version: '1.2.3' }, path)).output).toBe(
      'apk add --quiet --no-cache nodejs npm\nnpx --yes drayage@1.2.3 save --out x\n',
    );
  });

  test('another image without it is a failure that says so', async () => {
    const { code, output } = await runWith({}, await programs({}));
    expect([code, output]).toEqual([1, expect.stringContaining('no Node.js here')]);
  });

  test('a package at an address, when it has the digest that was given', async () => {
    const file = packageOf('echo "packed $*"');
    const server = createServer((_, response) => response.end(file));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const from = `http://127.0.0.1:${(server.address() as AddressInfo).port}/drayage.tgz`;
    const sha256 = createHash('sha256').update(file).digest('hex');
    expect(await runWith({ from, sha256 }, PATH)).toEqual({ code: 0, output: 'packed save --out x\n' });
    const other = await runWith({ from, sha256: '0'.repeat(64) }, PATH);
    expect([other.code, other.output]).toEqual([5, expect.stringContaining(`has the SHA-256 ${sha256}`)]);
    expect(await runWith({ from }, PATH)).toMatchObject({ code: 5 });
    expect(await readdir(join(home, 'project'))).toEqual([]);
  });
});

/** A package as `npm pack` makes it, whose program is a shell script. */
function packageOf(script: string): Buffer {
  const files = {
    'package/package.json': JSON.stringify({ name: 'drayage', version: '1.0.0', bin: { drayage: 'run' } }),
    'package/run': `#!/bin/sh\n${script}\n`,
  };
  const entries = Object.entries(files).map(([name, content]) =>
    Buffer.concat([header({ name, mode: '0000755\0', size: content.length }), padded(Buffer.from(content))]),
  );
  return gzipSync(Buffer.concat([...entries, Buffer.alloc(1024)]));
}
