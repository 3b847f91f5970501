import { generateKeyPairSync } from 'node:crypto';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { FetchResult, SaveResult } from '../../src/index.ts';
import { OCI_MANIFEST } from '../../src/oci/media-types.ts';
import { once } from '../../src/stream/tap.ts';
import { makeCargo } from '../docker/cargo.ts';
import { registryOf } from '../registry/registries.ts';
import type { CliResult } from '../support/cli.ts';
import { drayage, drayageJson } from '../support/cli.ts';
import { FakeRegistry } from '../support/fake-registry.ts';
import { PASSWORD, USER } from '../support/fake-registry-tokens.ts';
import { SIGNING_JOB } from '../support/gitlab-job.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { writeCargo } from '../support/write-cargo.ts';

const BASE = makeCargo({ layers: ['base', 'middle'] });
const APP = makeCargo({ layers: ['base', 'middle', 'app'] });

let cwd: string;
let fake: FakeRegistry;
let base: string;
let env: Record<string, string>;

beforeEach(async () => {
  cwd = await temporaryFolder();
  fake = await FakeRegistry.start({ auth: 'basic' });
  base = `${fake.host}/group/base:1`;
  const auth = Buffer.from(`${USER}:${PASSWORD}`).toString('base64');
  env = { DOCKER_AUTH_CONFIG: JSON.stringify({ auths: { [fake.host]: { auth } } }) };
  const repository = registryOf(fake).repository('group/base');
  const manifest = BASE.source.blobs.get(BASE.root.digest) ?? expect.fail();
  for (const [digest, bytes] of BASE.source.blobs) {
    if (digest === BASE.root.digest) continue;
    await repository.put({ mediaType: 'application/octet-stream', digest, size: bytes.length }, once(bytes));
  }
  await repository.putManifest(
    { descriptor: { ...BASE.root, mediaType: OCI_MANIFEST }, bytes: manifest },
    '1',
  );
  fake.seen.splice(0);
  await writeCargo(join(cwd, 'full'), APP, 'app:1');
});

const run = async (...args: string[]): Promise<CliResult> => drayage(args, { cwd, env });
const saveThin = async (...args: string[]): Promise<SaveResult> =>
  drayageJson(['save', '--from', 'full', '-o', 'thin', ...args], { cwd, env });
const blobsOf = async (path: string): Promise<string[]> => readdir(join(cwd, path, 'blobs/sha256'));

describe('save', () => {
  test('--thin always leaves out what the registry has of the base, and says so', async () => {
    const { code, stdout, stderr } = await run(
      'save',
      '--from',
      'full',
      '-o',
      'thin',
      '--thin',
      'always',
      '--base',
      base,
    );
    expect(code).toBe(0);
    expect(stderr).toMatch(/app:1: 2 of 3 layers \(\d+ B\) are omitted: its base .*group\/base:1 has them/);
    expect(stdout).toContain('3 layers, 0 of them already there, 2 omitted');
    expect(stdout).toMatch(/new, .* omitted, in/);
    expect(await blobsOf('thin')).toHaveLength(3);
  });

  test('--json counts what is left out', async () => {
    const { images, bytes } = await saveThin('--thin', 'always', '--base', base);
    expect(images[0]?.layers.map(({ status }) => status)).toEqual(['omitted', 'omitted', 'written']);
    expect(bytes.omitted).toBe((BASE.layers[0]?.size ?? 0) + (BASE.layers[1]?.size ?? 0));
  });

  test.each([
    ['taken at its word', () => ['--base', base], '2 layers of its base not read by the signer'],
    ['read', () => [], 'signed by key'],
  ])('and sign with a base that is %s are told apart by verify', async (how, named, line) => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    await writeFile(join(cwd, 'key.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
    env = { ...env, ...SIGNING_JOB };
    await saveThin('--thin', 'always', '--base', base);
    expect(await run('sign', 'thin', '--key', 'key.pem', ...named())).toMatchObject({ code: 0 });
    const key = publicKey.export({ type: 'spki', format: 'pem' }).toString();
    const { code, stdout } = await run('verify', 'thin', '--key', key);
    expect([code, stdout]).toEqual([0, expect.stringContaining(line)]);
    if (how === 'read') expect(stdout).not.toContain('not read by the signer');
  });

  test('does not ask the host that a label names', async () => {
    const labelled = makeCargo({
      layers: ['base', 'middle', 'app'],
      labels: { 'org.opencontainers.image.base.name': base },
    });
    await writeCargo(join(cwd, 'labelled'), labelled, 'labelled:1');
    env = {};
    const { code, stderr } = await run('save', '--from', 'labelled', '-o', 'thin', '--thin', 'always');
    expect(code).toBe(0);
    // A label is no candidate: there is nothing to say about it.
    expect(stderr).not.toContain(base);
    expect(await blobsOf('thin')).toHaveLength(5);
    expect(fake.seen).toEqual([]);
  });

  test('asks no registry by default, as long as the layout is small, nor with --thin never', async () => {
    await saveThin('--base', base);
    expect(await blobsOf('thin')).toHaveLength(5);
    const refused = await run('save', '--from', 'full', '-o', 'x', '--thin', 'never', '--max-size', '1kB');
    expect(refused.code).toBe(6);
    expect(fake.seen).toEqual([]);
  });

  test('--base-layout leaves out what each of several layouts has', async () => {
    await writeCargo(join(cwd, 'base'), BASE, 'base:1');
    await writeCargo(join(cwd, 'other'), makeCargo({ layers: ['other'] }), 'other:1');
    await saveThin('--base-layout', 'other', '--base-layout', 'base');
    expect(await blobsOf('thin')).toHaveLength(3);
  });
});

describe('a layout without its base', () => {
  beforeEach(async () => void (await saveThin('--thin', 'always', '--base', base)));

  test('goes whole into an archive, and each layer comes over the network once', async () => {
    fake.seen.splice(0);
    expect(await run('load', 'thin', '--to', 'docker-archive:app.tar')).toMatchObject({ code: 0 });
    const read = fake.seen.filter(({ url, authorization }) => authorization && url.includes('/blobs/'));
    expect(read).toHaveLength(2);
    const { images } = await drayageJson<SaveResult>(['save', '--from', 'app.tar', '-o', 'back'], { cwd });
    expect(images[0]?.id).toBe(APP.configDigest);
  });

  test('--offline asks no registry, and takes what the cache has', async () => {
    fake.seen.splice(0);
    const refused = await run('load', 'thin', '--to', 'docker-archive:app.tar', '--offline');
    expect(refused).toMatchObject({ code: 3 });
    expect(refused.stderr).toContain(`cannot be read from its base ${base}@${BASE.root.digest}: --offline`);
    expect(fake.seen).toEqual([]);
    const kept = ['load', 'thin', '--to', 'docker-archive:app.tar', '--cache', 'cache'];
    expect(await run(...kept)).toMatchObject({ code: 0 });
    fake.seen.splice(0);
    expect(await run(...kept, '--offline')).toMatchObject({ code: 0 });
    expect(fake.seen).toEqual([]);
  });

  test('is exit 1 where the registry refuses us, since no retry helps, without a secret in the message', async () => {
    env = { DRAYAGE_REGISTRIES: fake.host };
    const { code, stderr } = await run('load', 'thin', '--to', 'docker-archive:app.tar');
    expect(code).toBe(1);
    expect(stderr).toContain(`cannot be read from its base ${base}@${BASE.root.digest}`);
    expect(stderr).not.toContain(PASSWORD);
  });

  test.each([
    ['load', ['load', 'thin', '--to', 'docker-archive:app.tar']],
    ['fetch --complete', ['fetch', '--complete', 'thin']],
  ])('makes %s ask no host that the job does not name: exit 5, and what allows it', async (_, args) => {
    env = {};
    fake.seen.splice(0);
    const refused = await run(...args);
    expect(refused.code).toBe(5);
    expect(refused.stderr).toContain(`${fake.host} is not asked, because this job does not name it`);
    expect(refused.stderr).toContain(`DRAYAGE_REGISTRIES=${fake.host}`);
    expect(fake.seen).toEqual([]);
  });

  test('is not promoted by asking such a host, unless the host is the target', async () => {
    const other = await FakeRegistry.start();
    env = {};
    fake.seen.splice(0);
    const refused = await run('promote', 'app:1', `${other.host}/app:1`, '--from', 'thin');
    expect(refused.code).toBe(5);
    expect(refused.stderr).toContain(`DRAYAGE_REGISTRIES=${fake.host}`);
    expect(fake.seen).toEqual([]);
    expect(other.requests(/^(?:PUT|POST|PATCH)/)).toEqual([]);
    const auth = Buffer.from(`${USER}:${PASSWORD}`).toString('base64');
    env = { DOCKER_AUTH_CONFIG: JSON.stringify({ auths: { [fake.host]: { auth } } }) };
    expect(await run('promote', 'app:1', `${fake.host}/group/app:1`, '--from', 'thin')).toMatchObject({
      code: 0,
    });
  });

  test('is filled up in place', async () => {
    const { layouts } = await drayageJson<{ layouts: FetchResult[] }>(['fetch', '--complete', 'thin'], {
      cwd,
      env,
    });
    expect(layouts).toMatchObject([{ layout: join(cwd, 'thin'), images: [{ id: APP.configDigest }] }]);
    expect(await blobsOf('thin')).toHaveLength(5);
    expect((await run('verify', 'thin')).stdout).not.toContain('omitted');
  });

  test('is told from a damaged one', async () => {
    expect((await run('verify', 'thin')).stdout).toMatch(
      /content intact; 2 layers \(\d+ B\) omitted and not read; origin not checked/,
    );
    const inspected = (await run('inspect', 'thin')).stdout;
    expect(inspected.match(/ {2}omitted$/gm)).toHaveLength(2);
    expect(inspected).toMatch(/saved by sharing, \d+ B omitted/);
  });
});

test.each([
  [['fetch'], 'no job given'],
  [['fetch', 'full'], 'no job given'],
  [['fetch', '--complete', '-o', 'out'], 'out has no meaning without a job'],
  [['fetch', '--job', 'build', 'full'], 'full has no meaning with a job'],
  [['fetch', '--job', 'build', '--offline'], '--offline has no meaning with a job'],
])('%j is a mistake', async (args, message) => {
  const { code, stderr } = await run(...args);
  expect(code).toBe(2);
  expect(stderr).toContain(message);
});
