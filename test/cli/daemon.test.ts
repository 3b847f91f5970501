import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { LoadResult } from '../../src/index.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { imageConfig, json } from '../support/archives/images.ts';
import { END, entry, tar } from '../support/archives/tar-bytes.ts';
import { drayage, drayageJson } from '../support/cli.ts';
import { FakeDaemon } from '../support/fake-daemon.ts';
import { chainIds } from '../support/fake-stores.ts';
import { freePort, sshStandIn } from '../support/front.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

let home: string;
let fake: FakeDaemon;
beforeEach(async () => {
  home = await temporaryFolder();
  fake = await FakeDaemon.start();
});

/** Asks for an image that no daemon has: the refusal names the daemon that was asked. */
async function asked(env: Record<string, string>, args: string[] = []): Promise<string> {
  const { stderr } = await drayage(['save', 'none', ...args], { cwd: home, env: { HOME: home, ...env } });
  return stderr.split('\n')[0] ?? '';
}

const write = async (path: string, content: unknown): Promise<void> => {
  await mkdir(dirname(join(home, path)), { recursive: true });
  await writeFile(join(home, path), JSON.stringify(content));
};

test('the daemon is the one of --host, of DOCKER_HOST, or of the current context', async () => {
  const id = createHash('sha256').update('build').digest('hex');
  const Endpoints = { docker: { Host: fake.host } };
  await write(`.docker/contexts/meta/${id}/meta.json`, { Name: 'build', Metadata: {}, Endpoints });
  await write('.docker/config.json', { currentContext: 'build' });
  const answer = `drayage: docker at ${fake.host} has no image none`;
  expect(await asked({})).toBe(answer);
  expect(await asked({ DOCKER_HOST: 'unix:///nowhere' })).toContain('docker at unix:///nowhere');
  expect(await asked({ DOCKER_HOST: 'unix:///nowhere' }, ['--host', fake.host])).toBe(answer);
  expect(await asked({ DOCKER_CONTEXT: 'other' })).toBe('drayage: there is no docker context "other"');
});

test('ssh is the one on the PATH', async () => {
  const { folder } = await sshStandIn(fake.host.slice('unix://'.length));
  const env = { PATH: `${folder}:/usr/bin:/bin`, DOCKER_HOST: 'ssh://me@build.example' };
  expect(await asked(env)).toBe('drayage: docker at ssh://build.example has no image none');
});

test('in CI a daemon that is not there yet is waited for, and that is said', async () => {
  const host = `tcp://127.0.0.1:${await freePort()}`;
  const { code, stderr } = await drayage(['save', 'none', '--host', host], {
    cwd: home,
    env: { HOME: home, CI: 'true' },
    onStart: (child) => child.stderr?.once('data', () => child.kill('SIGTERM')),
  });
  expect(stderr).toBe(
    `drayage: docker at ${host} does not answer yet: waiting for up to 30 s\ndrayage: terminated\n`,
  );
  expect(code).toBe(143);
});

/** What is told of a load, and which layers went out with the last archive. */
async function loadLayout(...args: string[]): Promise<{ line: string; sent: number }> {
  const { stdout } = await drayage(['load', 'layout', '--host', fake.host, ...args], { cwd: home });
  return { line: stdout, sent: fake.loads.at(-1)?.filter((name) => name.endsWith('.tar')).length ?? 0 };
}

describe('load', () => {
  const LAYERS = [0, 1, 2, 3].map((i) => tar(entry(`file-${i}`, Buffer.alloc(i < 3 ? 100_000 : 10_000, i))));
  const CONFIG = imageConfig(LAYERS);
  const ID = digestOf(CONFIG);
  const REF = `temp:drayage-${ID.slice(7, 19)}`;

  /** A layout of an image with four layers, the last of which is small. */
  beforeEach(async () => {
    const names = LAYERS.map((_, i) => `${i}.tar`);
    const manifest = json([{ Config: 'config.json', RepoTags: ['temp:latest'], Layers: names }]);
    const input = (async function* () {
      for (const [i, layer] of LAYERS.entries()) yield entry(`${i}.tar`, layer);
      yield Buffer.concat([entry('config.json', CONFIG), entry('manifest.json', manifest), END]);
    })();
    const made = await drayage(['save', '--from', '-', '-o', 'layout', '--compress', 'none'], {
      cwd: home,
      input,
    });
    expect(made).toMatchObject({ code: 0, stderr: '' });
  });

  test('tells how many layers and bytes of how many were sent', async () => {
    for (const id of chainIds(LAYERS.map((layer) => digestOf(layer))).slice(0, 3)) fake.cache.add(id);
    expect(await loadLayout()).toEqual({
      line: `${REF}: 1 of 4 layers sent (18 kB), verified; also temp:latest\n`,
      sent: 1,
    });
    expect(fake.images).toMatchObject([{ id: ID, names: [REF, 'temp:latest'] }]);
  });

  test('tells that an image is there already, and which image a name was taken from', async () => {
    fake.images.push({ id: `sha256:${'c'.repeat(64)}`, names: ['temp:latest'], diffIds: [] });
    const all = await loadLayout();
    expect(all.line).toMatch(
      /^temp:drayage-\w+: 4 layers sent \(\d+ kB\), verified; also temp:latest; temp:latest was c{12}\n$/,
    );
    expect(await loadLayout()).toEqual({
      line: `${REF}: already there, verified; also temp:latest\n`,
      sent: 4,
    });
    expect(fake.loads).toHaveLength(2);
  });

  test('tells the names that --tag adds, in text and in JSON', async () => {
    const [first] = (await loadLayout('--tag', 'other:1')).line.split('\n');
    expect(first).toMatch(
      /^temp:drayage-\w+: 4 layers sent \(\d+ kB\), verified; also temp:latest, other:1$/,
    );
    const { images } = await drayageJson<LoadResult>(
      ['load', 'layout', '--host', fake.host, '--tag', 'other:1', '--tag', 'other:2'],
      { cwd: home },
    );
    expect(images).toMatchObject([{ name: 'temp:latest', tags: ['other:1', 'other:2'] }]);
    expect(fake.images).toMatchObject([
      { names: expect.arrayContaining(['other:1', 'other:2']) as string[] },
    ]);
  });

  test('sends all layers with --full, also of an image that is there', async () => {
    await loadLayout();
    expect(await loadLayout('--full')).toEqual({
      line: `${REF}: 4 layers sent (323 kB), verified; also temp:latest\n`,
      sent: 4,
    });
    const { images } = await drayageJson<LoadResult>(['load', 'layout', '--host', fake.host, '--full'], {
      cwd: home,
    });
    expect(images).toMatchObject([{ ref: REF, id: ID, status: 'loaded', layersSent: 4, layersPresent: 0 }]);
    const { images: found } = await drayageJson<LoadResult>(['load', 'layout', '--host', fake.host], {
      cwd: home,
    });
    expect(found).toMatchObject([{ status: 'present', layersSent: 0, layersPresent: 4, bytesSent: 0 }]);
  });
});
