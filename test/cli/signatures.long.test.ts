import { copyFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { generateKeyPairSync } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { readSignatureExpectations } from '../../src/cli/expectations.ts';
import { readOrigin } from '../../src/ci/gitlab/job.ts';
import { Layout } from '../../src/layout/layout.ts';
import type { CliOptions } from '../support/cli.ts';
import { drayage } from '../support/cli.ts';
import { FakeDaemon } from '../support/fake-daemon.ts';
import { FakeRegistry } from '../support/fake-registry.ts';
import { FakeSigstore, identityToken } from '../support/fake-sigstore.ts';
import { fixturePath } from '../support/fixtures.ts';
import { SIGNING_JOB, TAKING_JOB } from '../support/gitlab-job.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const DEMO = fixturePath('docker-28-graph.tar');
const IMAGE = 'example/app:1';

let cwd: string;
let fake: FakeSigstore;
let token: string;
beforeAll(async () => {
  fake = await FakeSigstore.start();
});
afterAll(() => fake.close());
beforeEach(async () => {
  cwd = await temporaryFolder();
  token = identityToken();
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  await writeFile(join(cwd, 'key.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
  await writeFile(join(cwd, 'key.pub'), publicKey.export({ type: 'spki', format: 'pem' }));
  await writeFile(join(cwd, 'root.json'), fake.root());
  await mkdir(join(cwd, 'workspace'));
});

/** The keys are beside the workspace, as variables of type File are. */
const run = (args: string[], env: CliOptions['env'] = TAKING_JOB) =>
  drayage(args, { cwd, env: { CI_PROJECT_DIR: join(cwd, 'workspace'), ...env } });
const save = (...args: string[]) =>
  run(['save', IMAGE, '--from', DEMO, ...args], { ...SIGNING_JOB, SIGSTORE_ID_TOKEN: token });
const OUT = ['--to', 'docker-archive:out.tar'];
const KEY = ['--key', 'key.pub'];
const COMMIT = 'c'.repeat(40);

async function written(): Promise<boolean> {
  return readFile(join(cwd, 'out.tar')).then(
    () => true,
    () => false,
  );
}

describe('what a job has signed', () => {
  test('as itself another job of the pipeline takes, with no more than a trusted root', async () => {
    expect(await save('--sign', '--keyless', ...fake.options)).toMatchObject({ code: 0 });
    const policy = ['--expect-signed', '--trusted-root', 'root.json'];
    expect(await run(['load', ...OUT, ...policy])).toMatchObject({ code: 0 });
    const { code, stdout } = await run(['verify', ...policy]);
    expect(code).toBe(0);
    expect(stdout).toContain('signed by https://gitlab.example/group/app//.gitlab-ci.yml@refs/heads/main');
    expect(stdout).toContain('pipeline 4711 (claimed)');
    expect(stdout.trimEnd()).toMatch(/content intact; origin proven by signature$/);
  });

  test('with a key another job takes, and outside GitLab whoever has the public key', async () => {
    expect(await save()).toMatchObject({ code: 0 });
    expect(await run(['sign', '--key', 'key.pem'], SIGNING_JOB)).toMatchObject({ code: 0 });
    expect(await run(['load', ...OUT, ...KEY, '--expect-signed'])).toMatchObject({ code: 0 });
    expect(await run(['verify', '.drayage/123', ...KEY], {})).toMatchObject({ code: 0 });
  });

  test.each([
    ['of another commit', { CI_COMMIT_SHA: 'b'.repeat(40) }, 'COMMIT'],
    [
      'of another project',
      { CI_PROJECT_PATH: 'group/other', CI_PROJECT_URL: 'https://gitlab.example/group/other' },
      'PROJECT',
    ],
    ['of another pipeline', { CI_PIPELINE_ID: '4712' }, 'PIPELINE'],
  ])('a job %s refuses, and nothing is written', async (_, variables, reason) => {
    await save('--sign', '--key', 'key.pem');
    const env = { ...TAKING_JOB, ...variables };
    // What the annotations say is let through, so that the signature has to do it.
    await claimToBeOf(env);
    const { code, stdout } = await run(['load', ...OUT, ...KEY, '--expect-signed', '--json'], env);
    expect([code, JSON.parse(stdout)]).toMatchObject([
      5,
      { error: { code: 'POLICY', reason, retryable: false } },
    ]);
    expect(await written()).toBe(false);
  });

  test('is refused where the signature was taken away, before the daemon is asked for anything but itself', async () => {
    await save('--sign', '--key', 'key.pem');
    const layout = await Layout.open(join(cwd, '.drayage/123'));
    const [image] = await layout.images();
    const referrers = image === undefined ? [] : await layout.referrers(image.root);
    await layout.update(async (content) => referrers.forEach(({ digest }) => content.remove(digest)));
    const daemon = await FakeDaemon.start();
    const host = ['--host', daemon.host];
    const { code, stderr } = await run(['load', ...host, ...KEY, '--expect-signed']);
    expect([code, stderr]).toEqual([5, expect.stringContaining(`${IMAGE} has no signature`)]);
    expect(daemon.loads).toEqual([]);
    expect(daemon.seen.filter(({ line }) => !line.startsWith('GET '))).toEqual([]);
    expect(await run(['load', ...OUT])).toMatchObject({ code: 0 });
  });

  test('is refused where its signature is damaged', async () => {
    await save('--sign', '--key', 'key.pem');
    const layout = await Layout.open(join(cwd, '.drayage/123'));
    const [image] = await layout.images();
    const [referrer] = image === undefined ? [] : await layout.referrers(image.root);
    const blobs = join(cwd, '.drayage/123/blobs/sha256');
    const path = join(blobs, referrer?.digest.slice(7) ?? '');
    const manifest = JSON.parse(await readFile(path, 'utf8')) as { layers: { digest: string }[] };
    await rm(join(blobs, manifest.layers[0]?.digest.slice(7) ?? ''));
    const { code, stdout } = await run(['load', ...OUT, ...KEY, '--expect-signed', '--json']);
    expect([code, JSON.parse(stdout)]).toMatchObject([5, { error: { reason: 'REFERRER_DAMAGED' } }]);
  });

  test('with a key nobody trusts is refused', async () => {
    await save('--sign', '--key', 'key.pem');
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    await writeFile(join(cwd, 'key.pub'), publicKey.export({ type: 'spki', format: 'pem' }));
    const { code, stdout } = await run(['verify', ...KEY, '--json']);
    expect(code).toBe(5);
    expect(JSON.parse(stdout)).toMatchObject({
      layouts: [{ problems: [{ code: 'POLICY', reason: 'SIGNATURE' }] }],
    });
  });

  test('with a key that an artifact laid into the workspace is refused, for it may be anybody’s', async () => {
    await save('--sign', '--key', 'key.pem');
    const workspace = { ...TAKING_JOB, CI_PROJECT_DIR: cwd };
    const { code, stderr } = await run(['load', ...OUT, ...KEY, '--expect-signed'], workspace);
    expect([code, stderr]).toEqual([2, expect.stringContaining('in the workspace')]);
    expect(await written()).toBe(false);
    const [accepted = ''] = /--key key\.pub@sha256:[0-9a-f]{64}/.exec(stderr) ?? [];
    const policy = [...accepted.split(' '), '--expect-signed'];
    expect(await run(['load', ...OUT, ...policy], workspace)).toMatchObject({ code: 0 });
    const root = ['--trusted-root', 'root.json', '--issuer', 'https://gitlab.example', '--identity', 'x'];
    expect(await run(['verify', ...root], workspace)).toMatchObject({ code: 2 });
    const pem = await readFile(join(cwd, 'key.pub'), 'utf8');
    expect(await run(['verify'], { ...workspace, DRAYAGE_KEY: pem })).toMatchObject({ code: 0 });
    expect(await run(['sign', '--key', 'key.pem'], { ...SIGNING_JOB, CI_PROJECT_DIR: cwd })).toMatchObject({
      code: 0,
    });
  });

  test('stays signed in a copy, and when it is signed again', async () => {
    await save('--sign', '--key', 'key.pem');
    expect(
      await run(['sign', '--keyless', ...fake.options], { ...SIGNING_JOB, SIGSTORE_ID_TOKEN: token }),
    ).toMatchObject({ code: 0 });
    expect(await run(['load', '--to', 'oci:copy', ...KEY])).toMatchObject({ code: 0 });
    const policy = ['--expect-signed', '--trusted-root', 'root.json'];
    expect(await run(['verify', 'copy', ...KEY])).toMatchObject({ code: 0 });
    expect(await run(['verify', 'copy', ...policy])).toMatchObject({ code: 0 });
    const { stdout } = await run(['inspect', 'copy']);
    expect(stdout.match(/attached .*provenance\/v1/g)).toHaveLength(2);
  });
});

test('verify without a policy says what it did not check, and what is only claimed', async () => {
  await save();
  const { code, stdout } = await run(['verify']);
  expect(code).toBe(0);
  expect(stdout).toContain(`${IMAGE}: pipeline 4711 (claimed)`);
  expect(stdout.trimEnd()).toMatch(/content intact; origin not checked$/);
});

describe('a request to sign', () => {
  test.each([
    ['with nothing', ['--sign'], 'no key given, and no --keyless'],
    [
      'with a key and without one',
      ['--sign', '--key', 'key.pem', '--keyless'],
      'both --key and --keyless given',
    ],
    ['without an authority', ['--sign', '--keyless'], '--fulcio-url is missing'],
    ['at what is no address', ['--sign', '--fulcio-url', 'fulcio'], 'is not an address'],
    [
      'at an authority that others may listen to',
      ['--sign', '--fulcio-url', 'http://fulcio.example'],
      'unencrypted',
    ],
    ['without proof of its time', ['--sign', '--fulcio-url', 'https://fulcio.example'], 'proof of when'],
  ])('%s is refused before anything is saved', async (_, args, why) => {
    const { code, stderr } = await save(...args);
    expect([code, stderr]).toEqual([2, expect.stringContaining(why)]);
    expect(stderr).not.toContain(token);
    await expect(Layout.open(join(cwd, '.drayage/123'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('outside a job is refused', async () => {
    const { code, stderr } = await run(['save', IMAGE, '--from', DEMO, '--sign', '--key', 'key.pem'], {});
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining('this is not a GitLab or GitHub Actions job'),
    ]);
  });

  test('with a token that has expired is refused, and the token is not told', async () => {
    token = identityToken({ exp: 1 });
    const { code, stderr, stdout } = await save('--sign', '--keyless', ...fake.options, '--debug');
    expect([code, stderr]).toEqual([2, expect.stringContaining('expired')]);
    for (const part of token.split('.')) expect(stderr + stdout).not.toContain(part);
  });

  test('at the public instance says first what becomes public', async () => {
    // No service is asked: the authority is this one, which is not there.
    const { stderr } = await save(
      '--sign',
      '--public-sigstore',
      '--fulcio-url',
      'https://127.0.0.1:1',
      '--rekor-url',
      'https://127.0.0.1:1',
    );
    expect(stderr).toContain('the public log keeps for ever');
  });

  test('that the authority refuses ends with 1, what it said, and no token', async () => {
    fake.faults.fulcio = (_, response) => {
      response
        .writeHead(400, { 'content-type': 'application/json' })
        .end(JSON.stringify({ message: `bad token ${token}` }));
    };
    try {
      const { code, stderr, stdout } = await save(
        '--sign',
        '--keyless',
        ...fake.options,
        '--debug',
        '--json',
      );
      expect([code, JSON.parse(stdout)]).toMatchObject([
        1,
        { error: { code: 'SIGNING', status: 400, retryable: false } },
      ]);
      for (const part of token.split('.')) expect(stderr + stdout).not.toContain(part);
    } finally {
      delete fake.faults.fulcio;
    }
  });
});

describe('a request to check signatures', () => {
  test.each([
    ['of nobody', ['--expect-signed'], TAKING_JOB, 'no trusted root or key is given'],
    ['of whomever', ['--trusted-root', 'root.json'], TAKING_JOB, '--identity is missing'],
    [
      'of an identity that nobody vouches for',
      ['--trusted-root', 'root.json', '--identity', 'x'],
      {},
      '--issuer is missing',
    ],
    [
      'of a key with an identity',
      ['--key', 'key.pub', '--identity', 'x'],
      TAKING_JOB,
      '--key requires a key',
    ],
    [
      'of two kinds of identity',
      ['--trusted-root', 'root.json', '--issuer', 'x', '--identity', 'x', '--identity-regexp', 'x'],
      {},
      'exclude',
    ],
    [
      'of a pattern that is none',
      ['--trusted-root', 'root.json', '--issuer', 'x', '--identity-regexp', 'a)|(b'],
      {},
      'not a regular expression',
    ],
    [
      'by what only signatures say',
      ['--expect', 'runner-environment=self-hosted'],
      TAKING_JOB,
      'no signature is required',
    ],
  ])('%s is refused', async (_, args, env, why) => {
    const { code, stderr } = await run(['load', ...OUT, ...args], env);
    expect([code, stderr]).toEqual([2, expect.stringContaining(why)]);
  });

  test('with a private key for a public one, or a root that is none, says so', async () => {
    expect(await run(['verify', '--key', 'key.pem'])).toMatchObject({ code: 4 });
    await writeFile(join(cwd, 'root.json'), '{}');
    const root = await run(['verify', '--trusted-root', 'root.json', '--expect-signed']);
    expect([root.code, root.stderr]).toEqual([4, expect.stringContaining('names no authority')]);
    expect(await run(['verify', '--key', 'missing'])).toMatchObject({ code: 4 });
  });
});

const PROTECTED = { ...TAKING_JOB, CI_COMMIT_REF_PROTECTED: 'true' };
const promote = async (registry: FakeRegistry, env: CliOptions['env']) =>
  run(['promote', IMAGE, `${registry.host}/app:1`, ...KEY, '--expect-signed'], env);

describe('what is expected is asked', () => {
  test('by verify, of annotations too', async () => {
    expect(await save()).toMatchObject({ code: 0 });
    expect(await run(['verify', '--expect', `commit=${'b'.repeat(40)}`])).toMatchObject({ code: 5 });
    expect(await run(['verify', '--expect', `commit=${SIGNING_JOB['CI_COMMIT_SHA']}`])).toMatchObject({
      code: 0,
    });
  });

  test('by fetch --complete', async () => {
    expect(await save()).toMatchObject({ code: 0 });
    const fill = ['fetch', '--complete', '.drayage/123'];
    expect(await run([...fill, ...KEY, '--expect-signed'])).toMatchObject({ code: 5 });
    expect(await run([...fill, '--expect', 'pipeline=1'])).toMatchObject({ code: 5 });
    expect(await run(fill)).toMatchObject({ code: 0 });
  });

  test.each([
    ['dropped as a whole', { DRAYAGE_EXPECT: 'none' }, '--expect-signed'],
    ['those of a job that cannot be read', { CI_COMMIT_SHA: '' }, 'CI_COMMIT_SHA is not set'],
  ])('and may not be %s', async (_, env, words) => {
    expect(await save('--sign', '--key', 'key.pem')).toMatchObject({ code: 0 });
    const { code, stderr } = await run(['load', ...OUT, ...KEY, '--expect-signed'], {
      ...TAKING_JOB,
      ...env,
    });
    expect([code, stderr]).toEqual([2, expect.stringContaining(words)]);
    expect(await written()).toBe(false);
  });

  test.each([
    [{ jobId: '7' }, { project: ['group/app'], 'job-id': ['7'] }],
    [
      { job: 'build', ref: 'main' },
      { project: ['group/app'], job: ['build'], ref: ['main'] },
    ],
    [
      { job: 'build', project: 'group/other' },
      { project: ['group/other'], job: ['build'] },
    ],
    [{ job: 'build' }, { project: ['group/app'], job: ['build'], commit: [COMMIT], pipeline: ['4711'] }],
  ])('of the job that %j names', async (options, expected) => {
    const origin = readOrigin({ ...TAKING_JOB, CI_COMMIT_SHA: COMMIT });
    const { server: _, ...values } = readSignatureExpectations(origin, options, TAKING_JOB);
    const said = Object.fromEntries(Object.entries(values).filter(([, accepted]) => accepted !== 'any'));
    expect(said).toEqual(expected);
  });
});

describe('promote with a policy', () => {
  test('takes what is signed to the registry, with its signature', async () => {
    const registry = await FakeRegistry.start();
    expect(await save('--sign', '--key', 'key.pem')).toMatchObject({ code: 0 });
    expect(await promote(registry, PROTECTED)).toMatchObject({ code: 0 });
    const { tags, manifests } = registry.store.repository('app');
    expect(tags.has('1')).toBe(true);
    const types = [...manifests.values()].map(({ bytes }) => bytes.toString());
    expect(types.filter((text) => text.includes('dev.sigstore.bundle')).length).toBeGreaterThan(0);
  });

  test.each([
    ['what is not signed', [], PROTECTED],
    ['from a ref that is not protected', ['--sign', '--key', 'key.pem'], TAKING_JOB],
  ])('refuses %s, and asks no registry', async (_, sign, env) => {
    const registry = await FakeRegistry.start();
    expect(await save(...sign)).toMatchObject({ code: 0 });
    let asked = 0;
    registry.faults.registry = () => {
      asked += 1;
      return 'pass';
    };
    expect(await promote(registry, env)).toMatchObject({ code: 5 });
    expect(asked).toBe(0);
  });
});

/** Writes annotations as if the job had saved the image. */
async function claimToBeOf(env: Readonly<Record<string, string>>): Promise<void> {
  const path = join(cwd, '.drayage/123');
  await rename(path, join(cwd, 'signed'));
  await copyFile(join(cwd, 'signed/index.json'), join(cwd, 'index.json'));
  const claims: Record<string, string | undefined> = {
    'org.opencontainers.image.revision': env['CI_COMMIT_SHA'],
    'dev.drayage.gitlab.project-path': env['CI_PROJECT_PATH'],
    'dev.drayage.gitlab.pipeline-id': env['CI_PIPELINE_ID'],
  };
  const index = JSON.parse(await readFile(join(cwd, 'index.json'), 'utf8')) as {
    manifests: { artifactType?: string; annotations: Record<string, string | undefined> }[];
  };
  for (const entry of index.manifests)
    if (entry.artifactType === undefined) Object.assign(entry.annotations, claims);
  await writeFile(join(cwd, 'signed/index.json'), JSON.stringify(index));
  await rename(join(cwd, 'signed'), path);
}
