import type { ChildProcess } from 'node:child_process';
import { execFileSync } from 'node:child_process';
import { createReadStream, existsSync } from 'node:fs';
import { mkdir, open, readFile, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { beforeEach, describe, expect, test } from 'vitest';
import type { InspectResult, SaveResult } from '../../src/index.ts';
import { Layout } from '../../src/layout/layout.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { nativeZstd } from '../../src/stream/zstd-runtime.ts';
import { save } from '../../src/verbs/save/save.ts';
import { addSample, imageOf } from '../../src/testing/sample-images.ts';
import { header } from '../support/archives/tar-bytes.ts';
import type { CliOptions } from '../support/cli.ts';
import { drayage, drayageJson } from '../support/cli.ts';
import { fixtureArchive, fixturePath } from '../support/fixtures.ts';
import { gitlabJob } from '../support/gitlab-job.ts';
import { listFiles } from '../support/list-files.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const DEMO = fixturePath('demo.tar');
const API = 'drayage-demo/api:1.0';
const WORKER = 'drayage-demo/worker:1.0';
const GITLAB = gitlabJob('123', 'build');

let cwd: string;
beforeEach(async () => {
  cwd = await temporaryFolder();
});

const files = async (): Promise<string[]> => (await listFiles(cwd)).map(({ path }) => path);
const run = (args: string[], options: Partial<CliOptions> = {}) => drayage(args, { cwd, ...options });

/** A layout with both demo images. */
async function demoLayout(path = '.drayage/images'): Promise<void> {
  await mkdir(join(cwd, path, '..'), { recursive: true });
  await save({ from: fixtureArchive('demo.tar'), to: await Layout.create(join(cwd, path)) });
}

describe('save', () => {
  test('has one document with --json, and saves into .drayage/images', async () => {
    const result = await drayageJson<SaveResult>(['save', '--from', DEMO], { cwd });
    expect(Object.keys(result)).toEqual(['layout', 'images', 'bytes', 'seconds']);
    expect(Object.keys(result.bytes)).toEqual(['read', 'written', 'reused', 'omitted', 'total']);
    expect(result.layout).toBe(join(cwd, '.drayage/images'));
    expect(result.images.map(({ name }) => name)).toEqual([API, WORKER]);
    const keys = ['name', 'ref', 'id', 'digest', 'platform', 'layers'];
    for (const image of result.images) {
      expect(Object.keys(image)).toEqual(keys);
      for (const layer of image.layers)
        expect(Object.keys(layer)).toEqual([
          'digest',
          'size',
          'diffId',
          'uncompressedSize',
          'mediaType',
          'status',
        ]);
    }
    expect((await files()).every((path) => path.startsWith('.drayage/images/'))).toBe(true);
  });

  test('in a GitLab job it saves into .drayage/$CI_JOB_ID and says who did', async () => {
    const { code, stdout } = await run(['save', '-q', WORKER, '--from', DEMO], { env: GITLAB });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^drayage-demo\/worker:pipeline-4711-[0-9a-f]{12}\n$/);
    const [image] = await (await Layout.open(join(cwd, '.drayage/123'))).images();
    expect(image?.annotations).toMatchObject({
      'dev.drayage.gitlab.job-id': '123',
      'org.opencontainers.image.revision': 'a'.repeat(40),
    });
  });

  test('takes an archive from standard input, and a layout folder; variables stand for options', async () => {
    const env = { DRAYAGE_FROM: '-', DRAYAGE_OUT: 'first', DRAYAGE_COMPRESS: 'gzip', DRAYAGE_QUIET: '1' };
    const piped = await run(['save'], { env, input: createReadStream(DEMO) });
    expect(piped.code).toBe(0);
    expect(piped.stdout.split('\n')).toHaveLength(3);
    const copied = await drayageJson<SaveResult>(['save', '--from', 'first', '-o', 'second'], { cwd });
    expect(copied.images[0]?.layers[0]?.mediaType).toMatch(/\+gzip$/);
    const first = await (await Layout.open(join(cwd, 'first'))).images();
    expect(copied.images.map(({ digest }) => digest)).toEqual(first.map(({ root }) => root.digest));
  });

  test.each([
    ['missing', undefined, 'NOT_FOUND'],
    ['garbage', 'not an ID', 'MALFORMED'],
    ['empty', '', 'MALFORMED'],
  ])('an --iidfile that is %s is an error that names it', async (_, content, code) => {
    if (content !== undefined) await writeFile(join(cwd, 'image.id'), content);
    const { code: exitCode, stdout } = await run(['save', '--iidfile', 'image.id', '--json']);
    expect(exitCode).toBe(4);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code, path: 'image.id', retryable: false } });
  });

  test('an archive that is cut is an error, and nothing new is there', async () => {
    await demoLayout();
    const before = await listFiles(cwd);
    const bytes = await readFile(fixturePath('docker-20.10.tar'));
    const input = createReadStream(fixturePath('docker-20.10.tar'), { end: bytes.length / 2 });
    const { code, stderr } = await run(['save', '--from', '-'], { input });
    expect([code, stderr]).toEqual([4, expect.stringMatching(/^drayage: /)]);
    expect(await listFiles(cwd)).toEqual(before);
  });

  test.each([
    ['SIGINT' as const, 130],
    ['SIGTERM' as const, 143],
  ])('%s while it reads ends it with %d, and nothing is left', async (signal, expected) => {
    let child: ChildProcess | undefined;
    async function* endless(): AsyncGenerator<Uint8Array, void, undefined> {
      yield header({ name: 'layer.tar', size: 8_000_000_000 });
      const chunk = Buffer.alloc(65_536, 'x');
      for (let count = 0; count < 100_000; count++) {
        if (count === 100) child?.kill(signal);
        yield chunk;
      }
    }
    const { code, stderr } = await run(['save', '--from', '-'], {
      input: endless(),
      onStart: (started) => (child = started),
    });
    expect([code, stderr]).toEqual([
      expected,
      expect.stringMatching(/^drayage: (interrupted|terminated)\n$/),
    ]);
    expect(await readdir(cwd)).toEqual([]);
  });
});

describe('a mistake in an option', () => {
  test.each([
    ['--level', 'abc'],
    ['--level', '1.5'],
    ['--platform', 'linux/arm64,linux/amd64'],
    ['--platform', 'linux/arm64', '--platform', 'linux/amd64'],
    ['--out', '-'],
    ['--max-size', 'much'],
  ])('%s %s %s %s is told before a daemon is met', async (...options) => {
    const { code, stderr } = await run(['save', 'app:1', '--host', 'unix:///nowhere.sock', ...options]);
    expect([code, stderr]).toEqual([2, expect.not.stringContaining('nowhere')]);
    expect(await readdir(cwd)).toEqual([]);
  });
});

describe('a source that stays silent', () => {
  test('does not hold up an interrupt', async () => {
    const silence = new PassThrough();
    const { code } = await run(['save', '--from', '-'], {
      input: silence,
      onStart: (child) => setTimeout(() => child.kill('SIGINT'), 1500),
    });
    expect(code).toBe(130);
    expect(await readdir(cwd)).toEqual([]);
  });

  test('does not hold up an interrupt as a named pipe without a writer', async () => {
    execFileSync('mkfifo', [join(cwd, 'pipe')]);
    const { code } = await run(['save', '--from', 'pipe'], {
      onStart: (child) => setTimeout(() => child.kill('SIGINT'), 1500),
    });
    expect(code).toBe(130);
    expect(await readdir(cwd)).toEqual(['pipe']);
  });
});

describe('variables', () => {
  test.each(['DRAYAGE_OUT', 'DRAYAGE_LEVEL', 'DRAYAGE_HOST', 'DRAYAGE_COMPRESS'])(
    'an empty %s counts as unset',
    async (name) => {
      const { code } = await run(['save', '--from', fixturePath('demo.tar')], { env: { [name]: '' } });
      expect(code).toBe(0);
      expect(await readdir(cwd)).toEqual(['.drayage']);
    },
  );
});

describe('load', () => {
  test.each([
    ['--tag', 'x:1', 'docker-archive:x.tar'],
    ['--host', 'unix:///x', 'oci:x'],
    ['--shared', '', 'oci:x'],
    ['--platform', 'linux/amd64', 'oci:x'],
  ])('%s is refused where it would be ignored', async (flag, value, target) => {
    await demoLayout();
    const { code, stderr } = await run(['load', '--to', target, flag, ...(value === '' ? [] : [value])]);
    expect([code, stderr]).toEqual([2, expect.stringContaining(flag)]);
    expect(await readdir(cwd)).toEqual(['.drayage']);
  });

  test('writes an archive, in place of one that is there, and to standard output', async () => {
    await demoLayout();
    await writeFile(join(cwd, 'out.tar'), 'old');
    const { code, stdout } = await run(['load', '--to', 'docker-archive:out.tar', '--json']);
    expect([code, JSON.parse(stdout)]).toEqual([0, { archive: 'out.tar' }]);
    const written = await readFile(join(cwd, 'out.tar'));
    expect(written.subarray(0, 13).toString()).toBe('manifest.json');
    expect(await readdir(cwd)).toEqual(['.drayage', 'out.tar']);
    const piped = await run(['load', '--to', '-']);
    expect(piped.code).toBe(0);
    expect(piped.stdout.startsWith('manifest.json')).toBe(true);
    expect(Buffer.byteLength(piped.stdout)).toBeGreaterThanOrEqual(written.length);
  });

  test('a damaged layout leaves the archive as it was', async () => {
    await demoLayout();
    await damageLayer();
    await writeFile(join(cwd, 'out.tar'), 'old');
    const { code } = await run(['load', '--to', 'docker-archive:out.tar']);
    expect(code).toBe(4);
    expect(await readFile(join(cwd, 'out.tar'), 'utf8')).toBe('old');
    expect(await readdir(cwd)).toEqual(['.drayage', 'out.tar']);
  });

  test('writes one chosen image into another layout', async () => {
    await demoLayout('one');
    const { code, stdout } = await run(['load', 'one', '-i', WORKER, '--to', 'oci:other', '-q']);
    expect([code, stdout]).toEqual([
      0,
      expect.stringMatching(/^drayage-demo\/worker:drayage-[0-9a-f]{12}\n$/),
    ]);
    const images = await (await Layout.open(join(cwd, 'other'))).images();
    expect(images.map(({ names }) => names)).toEqual([[WORKER]]);
  });
});

test('inspect finds every layout below .drayage', async () => {
  await demoLayout('.drayage/1');
  const result = await drayageJson<InspectResult & { layouts: string[] }>(['inspect'], { cwd });
  expect(Object.keys(result)).toEqual(['layouts', 'images', 'bytes']);
  expect(result.layouts).toEqual([join(cwd, '.drayage/1')]);
  expect(result.images.map(({ names }) => names)).toEqual([[API], [WORKER]]);
  const { stdout } = await run(['inspect', '-q']);
  expect(stdout).toBe(result.images.map(({ ref }) => `${ref}\n`).join(''));
});

test('verify ends with 0 for what is intact, with 4 for a damaged blob, and names it', async () => {
  await demoLayout();
  const intact = await run(['verify']);
  expect([intact.code, intact.stdout]).toEqual([0, expect.stringContaining('content intact')]);
  const name = await damageLayer();
  const { code, stdout } = await run(['verify', '--json']);
  expect(code).toBe(4);
  expect(JSON.parse(stdout)).toMatchObject({ layouts: [{ problems: [{ code: 'DIGEST_MISMATCH' }] }] });
  expect(stdout).toContain(name);
});

describe('a mistake', () => {
  test.each([
    [['save', '--nope'], 2, 'USAGE'],
    [['nope'], 2, 'USAGE'],
    [['save', '--compress', 'xz'], 2, 'USAGE'],
    [['save', '--from', 'missing.tar'], 4, 'NOT_FOUND'],
    [['inspect'], 4, 'NOT_FOUND'],
    [['inspect', 'missing'], 4, 'NOT_FOUND'],
    [['load', '--to', 'nope:x'], 2, 'USAGE'],
    [['load', '--to', '-'], 2, 'USAGE'],
  ])('%j ends with %d', async (args, exitCode, code) => {
    const { code: actual, stdout, stderr } = await run([...args, '--json']);
    expect(actual).toBe(exitCode);
    expect(JSON.parse(stdout)).toMatchObject({
      error: { code, message: expect.any(String) as string, retryable: false },
    });
    expect(stderr).toMatch(/^drayage: /);
    expect(await files()).toEqual([]);
  });

  test('no daemon: 3, with the address and what to set', async () => {
    const env = { DOCKER_HOST: 'unix:///nonexistent/docker.sock' };
    const { code, stdout, stderr } = await run(['save', 'app:1', '--json'], { env });
    expect(code).toBe(3);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'UNREACHABLE', retryable: true } });
    expect(stderr).toContain('/nonexistent/docker.sock');
    expect(stderr).toMatch(/DOCKER_HOST|--host/);
    expect(await readdir(cwd)).toEqual([]);
  });

  test('a link planted where .drayage was: 4, named, and nothing is written through it', async () => {
    const outside = await temporaryFolder();
    await symlink(outside, join(cwd, '.drayage'));
    for (const args of [['save', '--from', DEMO], ['inspect']]) {
      const { code, stderr } = await run(args);
      expect([code, stderr]).toEqual([4, expect.stringContaining('.drayage is a symbolic link')]);
    }
    expect(await readdir(outside)).toEqual([]);
  });
});

test.each([['sve'], ['help', 'sve'], ['sve', '--help']])(
  '%s %s is a mistake, with a suggestion',
  async (...args) => {
    const { code, stdout, stderr } = await run(args);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain("unknown command 'sve' (Did you mean save?)");
  },
);

test('--compress zstd is a mistake where Node has no zstd, and works where it has', async () => {
  const { code, stderr } = await run(['save', '--from', DEMO, '--compress', 'zstd', '-q']);
  const expected = nativeZstd() === undefined ? [2, expect.stringContaining('--compress gzip')] : [0, ''];
  expect([code, stderr]).toEqual(expected);
  expect(await readdir(cwd)).toEqual(code === 0 ? ['.drayage'] : []);
});

test('--version and --help end with 0', async () => {
  const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  expect(await run(['--version'])).toMatchObject({ code: 0, stdout: `${version}\n`, stderr: '' });
  for (const args of [[], ['help'], ['--help'], ['save', '--help'], ['help', 'save']]) {
    const { code, stdout, stderr } = await run(args);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^Usage: drayage/);
  }
});

/** Changes a byte of the largest blob of the default layout. */
async function damageLayer(): Promise<string> {
  const blobs = (await listFiles(join(cwd, '.drayage/images/blobs'))).toSorted((a, b) => b.size - a.size);
  const path = blobs[0]?.path ?? '';
  const file = join(cwd, '.drayage/images/blobs', path);
  const bytes = await readFile(file);
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
  await writeFile(file, bytes);
  return path;
}

test('content that decompresses to far more than its size ends with 6, unless that is allowed', async () => {
  const zeros = Buffer.alloc(4_000_000);
  const image = imageOf([[digestOf(zeros), gzipSync(zeros)]]);
  const layout = await Layout.create(join(cwd, 'layout'));
  await layout.update(async (content) => addSample(content, image, ['app:1']));
  const { code, stderr } = await run(['verify', 'layout', '--max-expansion', '1MB']);
  expect([code, stderr]).toEqual([6, expect.stringContaining('--max-expansion')]);
  const allowed = await run(['verify', 'layout'], { env: { DRAYAGE_MAX_EXPANSION: '8GiB' } });
  expect(allowed.code, allowed.stderr).toBe(0);
});

describe.skipIf(!existsSync('/dev/full'))('standard output that is full', () => {
  test.each([['inspect'], ['load', '--to', '-']])(
    'ends %s with a line and what to do, and no stack',
    async (...args) => {
      await demoLayout();
      await using full = await open('/dev/full', 'w');
      const { code, stderr } = await run(args, { stdout: full.fd });
      const lines = [
        'drayage: cannot write to standard output: no space left on the device (ENOSPC)',
        '  free some space and try again',
      ];
      expect([code, stderr.trimEnd().split('\n')]).toEqual([1, lines]);
    },
  );
});
