import { createReadStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import type { InspectResult } from '../../src/index.ts';
import type { CliResult } from '../support/cli.ts';
import { drayage, drayageJson } from '../support/cli.ts';
import { FakeDaemon } from '../support/fake-daemon.ts';
import { fixturePath } from '../support/fixtures.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const DEMO = fixturePath('demo.tar');
const OTHER = `sha256:${'f'.repeat(64)}`;
const CI = { CI: 'true' };
const MOVING = 'another job of this shared daemon may have moved the tag';

let cwd: string;
let fake: FakeDaemon;
/** The images in the fixture. */
let api: string;
let worker: string;

beforeEach(async () => {
  cwd = await temporaryFolder();
  const args = ['save', '--from', DEMO, '--out', 'demo'];
  const { images } = await drayageJson<InspectResult>(args, { cwd });
  [api = '', worker = ''] = images.map(({ id }) => id);
  fake = await FakeDaemon.start({
    images: [
      { id: api, names: ['api:latest'], diffIds: [] },
      { id: worker, names: [], diffIds: [] },
      { id: OTHER, names: ['worker:latest'], diffIds: [] },
    ],
  });
  fake.handlers.set('GET /images/get', (_, response) => pipeline(createReadStream(DEMO), response));
});

const save = async (args: string[], env: Record<string, string> = {}): Promise<CliResult> =>
  drayage(['save', '--host', fake.host, '--out', 'out', ...args], { cwd, env });
const saveBuilt = async (metadata: unknown, env: Record<string, string> = {}): Promise<CliResult> => {
  const text = typeof metadata === 'string' ? metadata : JSON.stringify(metadata);
  await writeFile(join(cwd, 'build.json'), text);
  return save(['--metadata-file', 'build.json'], env);
};
const saveId = async (text: string): Promise<CliResult> => {
  await writeFile(join(cwd, 'iid'), text);
  return save(['--iidfile', 'iid']);
};
const saved = async (): Promise<[string, string[]][]> => {
  const { images } = await drayageJson<InspectResult>(['inspect', 'out'], { cwd });
  return images.map(({ id, names }) => [id, names]);
};
const built = (id: string, name?: string) => ({
  'buildx.build.ref': 'default/default/abc',
  'containerimage.config.digest': id,
  'containerimage.digest': OTHER.replaceAll('f', 'e'),
  ...(name !== undefined && { 'image.name': name }),
});

describe('--metadata-file', () => {
  test('of a build saves what was built, under its names', async () => {
    expect(
      await saveBuilt(built(api, 'docker.io/library/api:latest,registry.example/api:2'), CI),
    ).toMatchObject({
      code: 0,
      stderr: '',
    });
    expect(await saved()).toEqual([[api, ['api:latest', 'registry.example/api:2']]]);
  });

  test('of an untagged build on a containerd store saves it without a name, and says so', async () => {
    const dangling = `moby-dangling@${api}`;
    const { code, stderr } = await saveBuilt(built(api, dangling));
    expect([code, stderr]).toEqual([0, expect.stringContaining(dangling)]);
    expect(await saved()).toEqual([[api, []]]);
  });

  test('goes by the manifest where that is what the daemon calls an image', async () => {
    const metadata = {
      'containerimage.config.digest': OTHER.replaceAll('f', 'e'),
      'containerimage.digest': api,
    };
    expect(await saveBuilt(metadata)).toMatchObject({ code: 0 });
    expect(await saved()).toEqual([[api, []]]);
  });

  test('of bake saves all targets, also one whose name means another image by now', async () => {
    const metadata = { api: built(api, 'api'), worker: built(worker, 'worker'), 'buildx.build.warnings': [] };
    expect(await saveBuilt(metadata)).toMatchObject({ code: 0 });
    expect(await saved()).toEqual([
      [api, ['api:latest']],
      [worker, ['worker:latest']],
    ]);
  });

  test.each([
    ['no JSON', '{', 'is not JSON'],
    ['no image', { 'buildx.build.ref': 'x' }, 'names no image'],
    ['an image that the daemon does not have', built(`sha256:${'0'.repeat(64)}`), 'has no image sha256:'],
  ])('with %s is an error that says so', async (_, metadata, said) => {
    const { code, stderr } = await saveBuilt(metadata);
    expect([code, stderr]).toEqual([4, expect.stringContaining(said)]);
  });

  test('that is not there names itself, and asks no daemon', async () => {
    const { code, stderr } = await save(['--metadata-file', 'none.json']);
    expect([code, stderr]).toEqual([4, expect.stringContaining('none.json cannot be read')]);
    expect(fake.seen).toEqual([]);
  });

  test('finds the image in an archive, too', async () => {
    await writeFile(join(cwd, 'build.json'), JSON.stringify(built(worker, 'built:1')));
    const args = ['save', '--metadata-file', 'build.json', '--from', DEMO, '--out', 'out'];
    expect(await drayage(args, { cwd, env: {} })).toMatchObject({ code: 0 });
    const [[id, names] = []] = await saved();
    expect([id, names]).toEqual([worker, expect.arrayContaining(['built:1'])]);
    expect(fake.seen).toEqual([]);
  });
});

describe('a name on a daemon that jobs share', () => {
  test('is saved with a warning that points to what cannot move', async () => {
    const { code, stderr } = await save(['api'], CI);
    expect([code, stderr]).toEqual([0, expect.stringContaining(`api: ${MOVING}`)]);
    expect(stderr).toContain('--iidfile or --metadata-file');
  });

  test.each(['ID', 'short ID'])('is not what an %s is', async (what) => {
    const id = what === 'ID' ? api : api.slice('sha256:'.length, 19);
    expect(await save([id], CI)).toMatchObject({ code: 0, stderr: '' });
  });

  test('is nobody else’s outside CI', async () => {
    expect(await save(['api'])).toMatchObject({ code: 0, stderr: '' });
  });
});

describe('--iidfile', () => {
  test('holds a digest, or its hex, with or without a line end', async () => {
    for (const text of [api, `${api}\n`, api.slice('sha256:'.length), ` ${api}\r\n`]) {
      expect(await saveId(text), text).toMatchObject({ code: 0 });
      expect(await saved()).toEqual([[api, []]]);
    }
  });

  test('that is empty has a hint', async () => {
    const { code, stderr } = await saveId('\n');
    expect([code, stderr]).toEqual([4, expect.stringContaining('build with --load')]);
  });
});
