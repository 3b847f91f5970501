import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { SaveResult } from '../../src/index.ts';
import { nativeZstd } from '../../src/stream/zstd-runtime.ts';
import { SIGNING_JOB } from '../support/gitlab-job.ts';
import type { CommandResult } from '../system/support/run-command.ts';
import { run } from '../system/support/run-command.ts';
import { syntheticArchive } from '../system/support/synthetic-archive.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const FIXTURE = join(ROOT, 'fixtures/docker-28-graph.tar');
const { PATH = '', HOME = '' } = process.env;

let work: string;
/** The release, and the same one made once more. */
let [release, again] = ['', ''];
let [version, releases] = ['', ''];

beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), 'drayage-release-test-'));
  [release, again] = [join(work, 'release'), join(work, 'again')];
  const { config, ...manifest } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'));
  [version, releases] = [manifest.version, config.releases];
  await made(['--no-executables', '--out', release]);
  await made(['--no-executables', '--out', again]);
});

afterAll(() => rm(work, { recursive: true, force: true, maxRetries: 3 }));

async function made(args: readonly string[]): Promise<void> {
  const { code, stderr } = await run(process.execPath, [join(ROOT, 'scripts/release/main.mjs'), ...args], {
    env: { PATH, HOME },
  });
  expect(code, stderr).toBe(0);
}

describe('a release', () => {
  test('has the same bytes when it is made again', async () => {
    const names = await readdir(release);
    expect(names).toContain('drayage.mjs');
    expect(await readdir(again)).toEqual(names);
    for (const name of names) {
      const [one, other] = [await readFile(join(release, name)), await readFile(join(again, name))];
      expect(one.equals(other), name).toBe(true);
    }
  });

  test('replaces no folder that holds something else', async () => {
    const folder = await mkdtemp(join(work, 'mine-'));
    await writeFile(join(folder, 'thesis.txt'), 'the only copy');
    const script = join(ROOT, 'scripts/release/main.mjs');
    const { code, stderr } = await run(process.execPath, [script, '--out', folder], { env: { PATH, HOME } });
    expect([code, stderr]).toEqual([1, expect.stringContaining('is not empty and holds no release')]);
    expect(await readdir(folder)).toEqual(['thesis.txt']);
  });

  test('lists all of its files in SHA256SUMS', async () => {
    const script = `cd '${release}' && sha256sum --strict -c SHA256SUMS`;
    const { code, stdout } = await run('sh', ['-c', script], { env: { PATH } });
    expect(code).toBe(0);
    const listed = stdout.split('\n').map((line) => line.replace(/: OK$/, ''));
    expect(listed.filter(Boolean)).toEqual((await readdir(release)).filter((name) => name !== 'SHA256SUMS'));
  });

  test('puts the same program into executables when it is made again, in another folder', async () => {
    const sums: string[] = [];
    for (const name of ['one', 'another-folder']) {
      const folder = join(work, name);
      await mkdir(folder);
      const script = `import(${JSON.stringify(join(ROOT, 'scripts/release/executables.mjs'))}).then(async (made) => { const blob = await made.programBlob(process.argv[1], process.execPath); console.log(require('node:crypto').createHash('sha256').update(blob).digest('hex'), blob.length); })`;
      const { code, stdout, stderr } = await run(process.execPath, ['-e', script, folder], {
        env: { PATH, HOME },
      });
      expect(code, stderr).toBe(0);
      sums.push(stdout.trim());
    }
    expect(sums[0]).toMatch(/^[0-9a-f]{64} \d{7,}$/);
    expect(sums[1]).toBe(sums[0]);
  });

  test('has a component that takes its own program, by checksum', async () => {
    const listed = await readFile(join(release, 'SHA256SUMS'), 'utf8');
    const [, sum] = /^([0-9a-f]{64})  drayage\.mjs$/m.exec(listed) ?? [];
    const own = await readFile(join(ROOT, 'templates/image/template.yml'), 'utf8');
    const released = await readFile(join(release, 'template.yml'), 'utf8');
    const { spec } = parse(released.split('\n---\n')[0] ?? '');
    expect(spec.inputs.url.default).toBe(`${releases}/v${version}/drayage.mjs`);
    expect(spec.inputs.sha256.default).toBe(sum);
    for (const { regex, default: value } of [spec.inputs.url, spec.inputs.sha256])
      expect(value).toMatch(new RegExp(regex));
    const added = /^ {6}default: (?:https:.*|[0-9a-f]{64})\n/gm;
    expect(released.match(added)).toHaveLength(2);
    expect(released.replaceAll(added, '')).toBe(own);
  });

  test('names its packages in an SBOM, and their licences', async () => {
    const bom = JSON.parse(await readFile(join(release, 'sbom.cdx.json'), 'utf8'));
    expect(bom).toMatchObject({
      bomFormat: 'CycloneDX',
      metadata: { component: { name: 'drayage', version } },
    });
    const names: string[] = bom.components.map(({ name }: { name: string }) => name);
    expect(names).toEqual(expect.arrayContaining(['undici', 'commander', '@sigstore/sign']));
    expect(names).not.toContain('vitest');
    const licences = await readFile(join(release, 'THIRD-PARTY-LICENSES.txt'), 'utf8');
    expect(licences).toMatch(/^undici \S+ \(MIT\)$/m);
  });
});

describe('drayage.mjs', () => {
  let folder: string;
  const drayage = async (
    args: readonly string[],
    input?: AsyncIterable<Uint8Array>,
  ): Promise<CommandResult> => drayageIn(folder, args, input);

  beforeAll(async () => {
    // Nothing beside it: no package.json, no node_modules.
    folder = join(work, 'alone');
    await mkdir(folder);
    await cp(join(release, 'drayage.mjs'), join(folder, 'drayage.mjs'));
  });

  test('states its version', async () => {
    expect(await drayage(['--version'])).toMatchObject({ code: 0, stdout: `${version}\n` });
  });

  test('saves an archive and verifies it', async () => {
    expect(await drayage(['save', '--from', FIXTURE, '-o', 'saved'])).toMatchObject({ code: 0 });
    expect(await drayage(['verify', 'saved'])).toMatchObject({ code: 0 });
  });

  test.each(nativeZstd() === undefined ? ['gzip'] : ['gzip', 'zstd'])(
    'compresses with %s, and hashes on threads',
    async (codec) => {
      const args = ['save', '--from', '-', '-o', codec, '--compress', codec, '--json'];
      const { code, stdout, stderr } = await drayageIn(folder, args, syntheticArchive('app:1', 2, 9), {
        NODE_DEBUG: 'worker',
      });
      expect(code, stderr).toBe(0);
      expect(stderr).toMatch(/WORKER/);
      const { images }: SaveResult = JSON.parse(stdout);
      expect(images[0]?.layers.map(({ mediaType }) => mediaType.split('+').at(-1))).toEqual([codec, codec]);
      expect(await drayage(['verify', codec])).toMatchObject({ code: 0 });
    },
  );

  test('signs with a key, and verifies with its public half', async () => {
    await drayage(['save', '--from', FIXTURE, '-o', 'signed']);
    const script = `cd '${folder}' && openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -out key.pem && openssl pkey -in key.pem -pubout -out key.pub`;
    expect(await run('sh', ['-c', script], { env: { PATH } })).toMatchObject({ code: 0 });
    const signed = await drayageIn(folder, ['sign', 'signed', '--key', 'key.pem'], undefined, SIGNING_JOB);
    expect(signed.stderr).toBe('');
    expect(signed.code).toBe(0);
    const verified = await drayage(['verify', 'signed', '--key', 'key.pub', '--json']);
    expect(verified.code, verified.stderr).toBe(0);
  });
});

describe('the npm package', () => {
  let folder: string;

  beforeAll(async () => {
    folder = join(work, 'package');
    await mkdir(folder);
    const args = ['-xzf', join(release, `drayage-${version}.tgz`), '-C', folder, '--strip-components=1'];
    expect(await run('tar', args, { env: { PATH } })).toMatchObject({ code: 0 });
  });

  test('holds the program that it names', async () => {
    const { bin } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
    expect(existsSync(join(folder, bin.drayage))).toBe(true);
  });

  test('pins every package that an installation gets, and no other', async () => {
    const { packages } = JSON.parse(await readFile(join(folder, 'npm-shrinkwrap.json'), 'utf8'));
    const entries = Object.entries<{ version?: string; integrity?: string; dev?: boolean }>(packages);
    expect(entries.length).toBeGreaterThan(10);
    for (const [path, entry] of entries.filter(([name]) => name !== '')) {
      expect(entry, path).toMatchObject({ version: expect.any(String), integrity: expect.any(String) });
      expect(entry.dev, path).toBeUndefined();
    }
    expect(packages['node_modules/vitest']).toBeUndefined();
    expect(packages['']).not.toHaveProperty('devDependencies');
  });

  test('declares what its exports lead to, and nothing else', async () => {
    const { exports } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
    const reached = new Set<string>();
    const queue = Object.values<{ types?: string }>(exports).flatMap(({ types }) => types ?? []);
    for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
      const path = join(folder, name);
      if (reached.has(path)) continue;
      reached.add(path);
      // Examples in comments import the package.
      const text = (await readFile(path, 'utf8')).replaceAll(/\/\*\*.*?\*\//gs, '');
      for (const [, found = ''] of text.matchAll(/(?:from|import\(?)\s*['"]([^'"]+)['"]/g)) {
        if (found.startsWith('.')) queue.push(join(dirname(name), found.replace(/\.ts$/, '.d.ts')));
        else expect(found, `${name} names a type of another package`).toMatch(/^node:/);
      }
    }
    const declared = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.d.ts'));
    expect(declared.map((name) => join(folder, name)).toSorted()).toEqual([...reached].toSorted());
  });
});

async function drayageIn(
  folder: string,
  args: readonly string[],
  input?: AsyncIterable<Uint8Array>,
  env: Record<string, string> = {},
): Promise<CommandResult> {
  const command = [`cd '${folder}'`, `exec '${process.execPath}' drayage.mjs "$@"`].join(' && ');
  return run('sh', ['-c', command, 'sh', ...args], {
    env: { PATH, HOME: folder, ...env },
    ...(input === undefined ? {} : { input: Readable.from(input) }),
  });
}
