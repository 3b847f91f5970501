import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FakeDaemon } from '../support/fake-daemon.ts';
import { largeArchive } from '../support/large-archive.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const { PATH = '', HOME = '' } = process.env;

/** Of TypeScript: the oldest and the newest that are supported, and the last of 5. */
const VERSIONS = ['5.4', '5.9', '6.0'];

/** What programs are compiled, bundled and run with, from npm: outside the project, which needs none of it. */
const TOOLS = [
  '@types/node@20',
  ...VERSIONS.map((version) => `ts${version}@npm:typescript@~${version}`),
  '@arethetypeswrong/cli@0.18',
  'esbuild@0.28',
  'jest@30',
  '@oven/bun-linux-x64@1',
  '@deno/linux-x64-glibc@2',
];

/** Saves two archives into a layout, the large one on threads, and fails in a known way. */
const PROGRAM = `
import { createReadStream } from 'node:fs';
import { isDrayageError, Layout, save } from 'drayage';
export async function saved(folder) {
  const to = await Layout.create(folder);
  const { images } = await save({ from: { archive: createReadStream('demo.tar') }, to });
  const large = await save({ from: { archive: 'large.tar' }, to, concurrency: 2 });
  const error = await Layout.open('absent').catch((error) => error);
  return [images.length, large.images.length, isDrayageError(error) && error.code].join(' ');
}`;
const MAIN = `${PROGRAM}\nsaved(process.argv[2]).then((text) => console.log(text));`;

/** Reaches a daemon, and leaves it. */
const DAEMON = `
import { connectDocker } from 'drayage/docker';
const docker = await connectDocker({ host: process.argv[2] });
const before = [docker.serverVersion, (await docker.list()).length];
await docker[Symbol.asyncDispose]();
const after = await docker.list().then(() => 'reached', ({ code }) => code);
console.log([...before, after].join(' '));`;

const BUN = '@oven/bun-linux-x64/bin/bun';
const DENO = '@deno/linux-x64-glibc/deno';

let folder: string;
/** The packed package. */
let packed: string;

const bin = (path: string): string => join(folder, 'node_modules', path);

interface CommandResult {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a program in the folder of the consumer. */
async function command(program: string, args: readonly string[]): Promise<CommandResult> {
  return new Promise((resolve) => {
    const child = execFile(program, args, { cwd: folder, env: { PATH, HOME } }, (_, stdout, stderr) =>
      resolve({ code: child.exitCode ?? 1, stdout, stderr }),
    );
  });
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'drayage-consumers-'));
  const pack = `import(${JSON.stringify(join(ROOT, 'scripts/release/package.mjs'))}).then((made) => made.makePackage(${JSON.stringify(folder)}))`;
  expect(await command(process.execPath, ['-e', pack])).toMatchObject({ code: 0 });
  const { version } = await import('../../package.json', { with: { type: 'json' } }).then(
    (file) => file.default,
  );
  packed = join(folder, `drayage-${version}.tgz`);
  await writeFile(join(folder, 'package.json'), '{ "private": true, "type": "module" }');
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  expect(await command('npm', ['install', ...quiet, packed, ...TOOLS])).toMatchObject({ code: 0 });
  for (const runtime of [BUN, DENO]) await chmod(bin(runtime), 0o755);
  await copyFile(join(ROOT, 'fixtures/demo.tar'), join(folder, 'demo.tar'));
  await writeFile(join(folder, 'large.tar'), largeArchive());
  await writeFile(join(folder, 'main.mjs'), MAIN);
  await writeFile(join(folder, 'daemon.mjs'), DAEMON);
});

afterAll(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));

describe('the types of the package', () => {
  test('are found as Node and bundlers look for them', async () => {
    const { code, stdout } = await command(process.execPath, [
      bin('@arethetypeswrong/cli/dist/index.js'),
      packed,
      '--profile',
      'esm-only',
    ]);
    expect(code, stdout).toBe(0);
  });

  test.each(VERSIONS)('are right for the strictest consumer with TypeScript %s', async (version) => {
    const names = [
      '',
      'oci',
      'layout',
      'archive',
      'docker',
      'registry',
      'gitlab',
      'attest',
      'image',
      'testing',
    ];
    const lines = names.map(
      (name, i) => `export * as e${i} from '${name === '' ? 'drayage' : `drayage/${name}`}';`,
    );
    await writeFile(join(folder, 'consumer.ts'), lines.join('\n'));
    const strict = [
      '--strict',
      '--exactOptionalPropertyTypes',
      '--noUncheckedIndexedAccess',
      '--skipLibCheck',
      'false',
    ];
    const target = ['--target', 'es2022', '--lib', 'es2023', '--types', 'node', '--noEmit'];
    for (const [module, resolution] of [
      ['nodenext', 'nodenext'],
      ['esnext', 'bundler'],
    ] as const) {
      const args = [
        ...strict,
        ...target,
        '--module',
        module,
        '--moduleResolution',
        resolution,
        'consumer.ts',
      ];
      const { code, stdout } = await command(process.execPath, [bin(`ts${version}/lib/tsc.js`), ...args]);
      expect([module, code, stdout]).toEqual([module, 0, '']);
    }
  });
});

describe('the package runs', () => {
  const RESULT = '2 1 NOT_FOUND';

  async function runs(program: string, args: readonly string[]): Promise<void> {
    const { stdout, stderr } = await command(program, [...args, await mkdtemp(join(folder, 'layout-'))]);
    expect(stdout.trim(), stderr).toBe(RESULT);
  }

  test('in Node', () => runs(process.execPath, ['main.mjs']));
  test('in Bun', () => runs(bin(BUN), ['main.mjs']));
  test('in Deno', () => runs(bin(DENO), ['run', '--allow-all', 'main.mjs']));

  test.each([
    ['Node', () => [process.execPath]],
    ['Bun', () => [bin(BUN)]],
    ['Deno', () => [bin(DENO), 'run', '--allow-all']],
  ])('with a daemon, which it leaves: in %s', async (_, runtime) => {
    const { host } = await FakeDaemon.start();
    const [program = '', ...args] = runtime();
    const { code, stdout, stderr } = await command(program, [...args, 'daemon.mjs', host]);
    expect([code, stdout.trim()], stderr).toEqual([0, '28.5.2 0 UNREACHABLE']);
  });

  test.each(['esm', 'cjs'])('in a bundle of esbuild: %s, minified', async (format) => {
    const out = `bundle.${format === 'esm' ? 'mjs' : 'cjs'}`;
    // Some packages are CommonJS: as a module, the bundle needs a \`require\`.
    const banner = `--banner:js=import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);`;
    const args = [
      'main.mjs',
      '--bundle',
      '--minify',
      '--platform=node',
      `--format=${format}`,
      `--outfile=${out}`,
    ];
    const { code, stderr } = await command(bin('@esbuild/linux-x64/bin/esbuild'), [
      ...args,
      ...(format === 'esm' ? [banner] : []),
    ]);
    expect(code, stderr).toBe(0);
    await runs(process.execPath, [out]);
  });

  test('in a bundle of rolldown', async () => {
    const bundle = await rolldown({ input: join(folder, 'main.mjs'), platform: 'node', cwd: folder });
    await bundle.write({
      dir: join(folder, 'rolled'),
      format: 'esm',
      minify: true,
      entryFileNames: 'main.mjs',
    });
    await runs(process.execPath, ['rolled/main.mjs']);
  });

  test('in Jest', async () => {
    const layout = JSON.stringify(await mkdtemp(join(folder, 'layout-')));
    const tests = join(folder, 'jest');
    await mkdir(tests, { recursive: true });
    await writeFile(
      join(tests, 'a.test.mjs'),
      `${PROGRAM}\ntest('saves', async () => expect(await saved(${layout})).toBe('${RESULT}'), 60_000);`,
    );
    const config = { testMatch: ['**/jest/*.test.mjs'], transform: {}, rootDir: folder };
    const args = ['--experimental-vm-modules', bin('jest/bin/jest.js'), '--config', JSON.stringify(config)];
    const { code, stderr } = await command(process.execPath, args);
    expect(code, stderr).toBe(0);
  });
});
