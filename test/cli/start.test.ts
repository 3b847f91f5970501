import { readdirSync, readFileSync } from 'node:fs';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { describe, expect, onTestFinished, test } from 'vitest';
import { drayage } from '../support/cli.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { loadedWith } from '../structure/import-table.ts';

/** The files of a folder in which the command line is, by their paths. */
function filesIn(folder: string): Map<string, string> {
  const root = new URL(`../../${folder}/`, import.meta.url);
  const names = readdirSync(root, { recursive: true, encoding: 'utf8' });
  return new Map(
    names
      .filter((name) => /(?<!\.d)\.[jt]s$/.test(name))
      .map((name) => [name, readFileSync(new URL(name, root), 'utf8')]),
  );
}

describe('before the command is known, there are loaded', () => {
  const loaded = loadedWith(filesIn('src'), 'cli/main.ts');

  test('files of the command line alone, no command among them', () => {
    expect(loaded).toContain('cli/grammar/options.ts');
    const files = loaded.filter((name) => name.endsWith('.ts'));
    expect(
      files.filter(
        (name) =>
          !/^(?:(?:errors|system-error|budget)\.ts|text\/[a-z-]+\.ts|cli\/(?:grammar\/)?[a-z-]+\.ts)$/.test(
            name,
          ),
      ),
    ).toEqual([]);
  });

  test('the parser, and no other package', () => {
    const packages = loaded.filter((name) => !name.endsWith('.ts') && !name.startsWith('node:'));
    expect(packages).toEqual(['commander']);
  });

  test('few kilobytes of what is built', () => {
    const built = filesIn('dist');
    const sizes = loadedWith(built, 'cli/main.js').map((name) => built.get(name)?.length ?? 0);
    const total = sizes.reduce((sum, size) => sum + size, 0);
    expect(total).toBeGreaterThan(10_000);
    // Measured: 45.1 kB.
    expect(total).toBeLessThan(49_000);
  });
});

describe('with a command, there is loaded what it needs:', () => {
  const built = filesIn('dist');
  const main = loadedWith(built, 'cli/main.js').map((name) => built.get(name) ?? '');
  const commands = main.flatMap((text) => [...text.matchAll(/import\("\.\/([a-z0-9-]+\.js)"\)/g)]);
  const chunkOf = (command: string): string =>
    `cli/${commands.find(([, name]) => name?.replace(/\d*\.js$/, '') === command)?.[1] ?? ''}`;

  test.each([
    // Measured: 275, 358, 474, 446, 319 and 590 kB. Most of it is what all of these share.
    ['inspect', 277],
    ['untag', 360],
    ['load', 476],
    ['promote', 448],
    ['fetch', 321],
    ['save', 593],
  ])('%s, below %i kB', (command, limit) => {
    const sizes = loadedWith(built, chunkOf(command)).map((name) => built.get(name)?.length ?? 0);
    const total = sizes.reduce((sum, size) => sum + size, 0);
    expect(total).toBeGreaterThan(10_000);
    expect(total).toBeLessThan(limit * 1000);
  });

  test.each([
    // Measured: 30, 7 and 14.
    ['load', 35],
    ['inspect', 10],
    ['untag', 18],
  ])('%s, fewer than %i files: each costs time to find', (command, limit) => {
    const files = loadedWith(built, chunkOf(command)).filter((name) => built.has(name));
    expect(files.length).toBeGreaterThan(2);
    expect(files.length).toBeLessThan(limit);
  });

  test('load, without the packages that only a transfer needs', () => {
    const packages = loadedWith(built, chunkOf('load')).filter((name) => !/^node:|\.js$/.test(name));
    expect(packages.toSorted()).toEqual(['commander', 'p-limit', 'valibot']);
  });
});

test("V8's flags change after a command's modules are loaded: Node's cache of its own fits the unchanged ones", async () => {
  const patch = `import v8 from 'node:v8';
    import { syncBuiltinESMExports } from 'node:module';
    v8.setFlagsFromString = () => {
      console.error(JSON.stringify(process.moduleLoadList));
      process.exit(0);
    };
    syncBuiltinESMExports();`;
  const { stderr } = await drayage(['load', 'layout'], {
    cwd: await temporaryFolder(),
    env: { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(patch)}` },
  });
  expect(JSON.parse(stderr)).toEqual(expect.arrayContaining(['NativeModule tls', 'NativeModule crypto']));
});

test('a run that comes to a standstill is a failure, not the end', async () => {
  const patch = `import files from 'node:fs/promises';
    import { syncBuiltinESMExports } from 'node:module';
    for (const name of ['open', 'stat', 'lstat', 'realpath']) files[name] = () => new Promise(() => {});
    syncBuiltinESMExports();`;
  const result = await drayage(['inspect', 'layout', '--json'], {
    cwd: await temporaryFolder(),
    env: { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(patch)}` },
  });
  expect(result).toMatchObject({ code: 1, stderr: expect.stringContaining('standstill') as string });
  expect(JSON.parse(result.stdout)).toMatchObject({ error: { code: 'INTERNAL' } });
});

describe('a command that sends one request loads', () => {
  /** Prints the CommonJS files that a run has loaded. */
  const REPORT = `import { createRequire } from 'node:module';
    process.on('exit', () => console.error(JSON.stringify(Object.keys(createRequire('/').cache))));`;

  async function loadedBy(env: Record<string, string> = {}): Promise<string[]> {
    const server = createServer((_, response) => response.writeHead(404).end());
    onTestFinished(() => void server.close());
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const address = server.address();
    const host = `127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
    const { stderr } = await drayage(['untag', `${host}/app:1`], {
      cwd: await temporaryFolder(),
      env: { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(REPORT)}`, ...env },
    });
    const files: string[] = JSON.parse(/^\[.*\]$/m.exec(stderr)?.[0] ?? '');
    return files.flatMap((file) => /\/undici\/(.+)$/.exec(file)?.[1] ?? []);
  }

  test('the client of undici, without fetch, WebSocket and mocks', async () => {
    const loaded = await loadedBy();
    expect(loaded).toContain('lib/dispatcher/client-h1.js');
    // Measured: 26; the index has 111.
    expect(loaded.length).toBeLessThan(32);
  });

  test('the whole of undici only if a proxy is set, whose tunnels need it', async () => {
    expect(await loadedBy({ HTTP_PROXY: 'http://127.0.0.1:1' })).toContain('index.js');
    expect(await loadedBy({})).not.toContain('index.js');
  });
});
