import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { SaveResult } from '../../src/index.ts';
import { drayage, drayageJson } from '../support/cli.ts';
import { fixturePath } from '../support/fixtures.ts';
import { gitlabJob } from '../support/gitlab-job.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const TEST = gitlabJob('200', 'test');
const API = 'drayage-demo/api:1.0';
const WORKER = 'drayage-demo/worker:1.0';

let cwd: string;
beforeEach(async () => {
  cwd = await temporaryFolder();
});

/** Saves as a job does, and gives what the image has of its own. */
async function ship(job: string, id: string, image: string): Promise<SaveResult['images'][number]> {
  const env = gitlabJob(id, job);
  const args = ['save', '--from', fixturePath('demo.tar'), image];
  const { images } = await drayageJson<SaveResult>(args, { cwd, env });
  const [saved] = images;
  if (saved === undefined) throw new Error('nothing was saved');
  return saved;
}
const load = async (env: Record<string, string> = TEST, ...args: string[]) =>
  drayage(['load', '--to', 'docker-archive:out.tar', ...args], { cwd, env });
const run = async (...args: string[]) => drayage(args, { cwd, env: TEST });
const blob = (job: string, digest: string | undefined): string =>
  join(cwd, '.drayage', job, 'blobs/sha256', digest?.slice('sha256:'.length) ?? '');

/** Flips a byte, as a broken transport does. */
async function damage(path: string): Promise<void> {
  const bytes = await readFile(path);
  const middle = bytes.length >> 1;
  bytes.writeUInt8(bytes.readUInt8(middle) ^ 1, middle);
  await writeFile(path, bytes);
}

describe('an artifact that did not come', () => {
  const CAUSES = /artifacts:paths .* \.drayage\/\$CI_JOB_ID.*dependencies: \[\].*expired/s;

  test('is told of in a job, with the usual causes', async () => {
    const { code, stderr } = await load();
    expect([code, stderr]).toEqual([4, expect.stringMatching(CAUSES)]);
    expect(stderr).toContain('no layout below .drayage: the job that this one needs shipped no image');
  });

  test.each([
    ['that is empty', async (): Promise<void> => {}],
    [
      'without a layout',
      async (): Promise<void> => writeFile(join(cwd, '.drayage/123/report.txt'), 'something else'),
    ],
    [
      'whose layout has no image',
      async (): Promise<void> => {
        await writeFile(join(cwd, '.drayage/123/oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
        await writeFile(join(cwd, '.drayage/123/index.json'), '{"schemaVersion":2,"manifests":[]}');
      },
    ],
  ])('is told of for a restored folder %s, with the job', async (_, fill) => {
    await mkdir(join(cwd, '.drayage/123'), { recursive: true });
    await fill();
    const { code, stderr } = await load();
    expect([code, stderr]).toEqual([4, expect.stringMatching(CAUSES)]);
    expect(stderr).toContain('123: job 123 shipped no image');
    expect((await load({})).stderr).not.toMatch(CAUSES);
  });

  test('is not what a job without its own layout tells of', async () => {
    const { code, stderr } = await drayage(['inspect', '.drayage/200'], { cwd, env: TEST });
    expect([code, stderr]).toEqual([4, expect.stringContaining('.drayage/200 does not exist')]);
    expect(stderr).not.toContain('shipped');
    expect(stderr).toContain('make it with drayage save');
  });

  test('is no matter outside of jobs', async () => {
    const { code, stderr } = await load({});
    expect([code, stderr]).toEqual([4, expect.stringContaining('make one with drayage save')]);
  });
});

/** A folder as `tar -x` makes it of an archive of docker save, or skopeo as "dir:". */
async function unpack(manifest: string): Promise<void> {
  await mkdir(join(cwd, 'unpacked'), { recursive: true });
  await writeFile(join(cwd, 'unpacked/manifest.json'), manifest);
}

describe('a named folder of the job itself', () => {
  test.each([
    ['an unpacked archive', '[]', 'unpacked archive of docker save: pack it with tar'],
    ['a folder of skopeo', '{}', 'skopeo copy dir:DIR oci:LAYOUT:NAME'],
  ])('that is %s is told as what it is, by every command', async (_, manifest, hint) => {
    await unpack(manifest);
    for (const args of [
      ['save', '--from', 'unpacked', '-o', 'out'],
      ['load', 'unpacked', '--to', 'docker-archive:out.tar'],
      ['inspect', 'unpacked'],
      ['verify', 'unpacked'],
      ['prune', 'unpacked'],
      ['diff', 'unpacked', 'unpacked'],
      ['merge', 'unpacked', '-o', 'out'],
    ]) {
      const { code, stderr } = await run(...args);
      expect([args, code, stderr]).toEqual([args, 4, expect.stringContaining(hint)]);
      expect(stderr).not.toContain('shipped');
    }
  });

  test('that another job shipped below .drayage is told as what it is, too', async () => {
    await mkdir(join(cwd, '.drayage/123'), { recursive: true });
    await writeFile(join(cwd, '.drayage/123/manifest.json'), '[]');
    const { code, stderr } = await load();
    expect([code, stderr]).toEqual([4, expect.stringContaining('pack it with tar')]);
  });

  test('that is a layout without an image is told as that', async () => {
    await mkdir(join(cwd, 'empty'));
    await writeFile(join(cwd, 'empty/oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
    await writeFile(join(cwd, 'empty/index.json'), '{"schemaVersion":2,"manifests":[]}');
    const { code, stderr } = await load(TEST, 'empty');
    expect([code, stderr]).toEqual([4, expect.stringContaining('contains no image')]);
    expect(stderr).not.toContain('shipped');
  });

  test.each([
    ['load', 'app:1', '-i app:1'],
    ['inspect', 'registry.example:5000/group/app:1.2', '-i registry.example:5000/group/app:1.2'],
    ['verify', 'tpyo', 'if an artifact contains it'],
    ['inspect', './out/layout', 'if an artifact contains it'],
  ])('that is not there is told, with what may be meant: %s %s', async (command, name, hint) => {
    const { code, stderr } = await run(command, name);
    expect([code, stderr]).toEqual([4, expect.stringContaining(`${name.replace('./', '')} does not exist`)]);
    expect(stderr).toContain(hint);
    expect(stderr).not.toContain('shipped');
  });

  test('that is damaged is no fault of the runner, unless another job saved it', async () => {
    const { layers } = await ship('build', '123', API);
    await rename(join(cwd, '.drayage/123'), join(cwd, 'mine'));
    const path = join(cwd, 'mine/blobs/sha256', layers[0]?.digest.slice(7) ?? '');
    await damage(path);
    expect((await load(TEST, 'mine')).stderr).toContain('(shipped by job build (123))');
    const { code, stderr } = await load(gitlabJob('123', 'build'), 'mine');
    expect([code, stderr]).toEqual([4, expect.stringContaining(`blob ${path} is damaged`)]);
    expect(stderr).not.toContain('shipped');
  });
});

describe('what the runner left damaged', () => {
  const RETRY = 'retry this job, which restores the artifact again; if the same blob fails again, retry ';

  test('is named, with the job that shipped it and what to do', async () => {
    const { layers } = await ship('build', '123', API);
    await ship('other', '124', WORKER);
    const [layer] = layers.toReversed();
    await damage(blob('123', layer?.digest));
    const { code, stderr } = await load();
    expect(code).toBe(4);
    expect(stderr).toContain(`blob ${blob('123', layer?.digest)} is damaged`);
    expect(stderr).toContain('(shipped by job build (123))');
    expect(stderr).toContain(`${RETRY}job build (123)`);
    expect((await load({})).stderr).not.toContain('retry');
  });

  test('keeps its code and its facts in the document of --json', async () => {
    const { digest } = await ship('build', '123', API);
    await damage(blob('123', digest));
    const { code, stdout } = await load(TEST, '--json');
    expect(code).toBe(4);
    const hint = expect.stringContaining(`${RETRY}job build (123)`) as string;
    const error = { code: 'DIGEST_MISMATCH', digest, path: blob('123', digest), hint };
    expect(JSON.parse(stdout)).toMatchObject({ error });
  });

  test('is told of a blob that is not there', async () => {
    const { layers } = await ship('build', '123', API);
    await rm(blob('123', layers[0]?.digest));
    const { code, stderr } = await load();
    expect([code, stderr]).toEqual([4, expect.stringContaining('(shipped by job build (123))')]);
  });

  test('is told of an index that was cut, by the folder alone', async () => {
    await ship('build', '123', API);
    const path = join(cwd, '.drayage/123/index.json');
    await writeFile(path, (await readFile(path)).subarray(0, 100));
    const { code, stderr } = await load();
    expect([code, stderr]).toEqual([4, expect.stringContaining(`${RETRY}job 123`)]);
  });

  test('is told by verify for each blob', async () => {
    const { layers } = await ship('build', '123', API);
    await damage(blob('123', layers[0]?.digest));
    await damage(blob('123', layers[1]?.digest));
    const { code, stdout } = await drayage(['verify'], { cwd, env: TEST });
    expect(code).toBe(4);
    expect(stdout.match(/is damaged: .* \(shipped by job build \(123\)\)/g)).toHaveLength(2);
    expect(stdout.split(RETRY)).toHaveLength(2);
  });

  test('leaves other errors as they are', async () => {
    await ship('build', '123', API);
    const { code, stderr } = await load(TEST, '--image', 'no-such-image');
    expect(code).toBe(4);
    expect(stderr).not.toContain('retry');
    expect(await readdir(cwd)).toEqual(['.drayage']);
  });
});
