import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const ROOT = new URL('../../', import.meta.url);

/** The majors (below 1: minors) whose every release runs on Node 20. */
const MAJORS: Record<string, string> = {
  '@sigstore/bundle': '4',
  '@sigstore/protobuf-specs': '0.5',
  '@sigstore/sign': '4',
  '@sigstore/verify': '3',
  commander: '14',
  fzstd: '0.1',
  'p-limit': '7',
  'tar-stream': '3',
  tweetnacl: '1',
  undici: '7',
  valibot: '1',
  yauzl: '3',
};

/** Registries and mirrors, put together here so that this file names none. */
const HOSTS = [
  ['registry', 'npmjs', 'org'],
  ['registry', 'yarnpkg', 'com'],
  ['deb', 'debian', 'org'],
  ['security', 'debian', 'org'],
  ['pypi', 'org'],
  ['files', 'pythonhosted', 'org'],
  ['proxy', 'golang', 'org'],
  ['static', 'crates', 'io'],
].map((labels) => labels.join('.'));

const { dependencies, engines }: { dependencies: Record<string, string>; engines: { node: string } } =
  JSON.parse(read('package.json'));

describe('package.json', () => {
  test('asks for Node 20.19', () => {
    expect(engines.node).toBe('>=20.19.0');
  });

  test.each(Object.entries(dependencies))('%s %s cannot reach a major that drops Node 20', (name, range) => {
    expect(range).toMatch(/^\^\d+\.\d+\.\d+$/);
    expect(range.startsWith(`^${MAJORS[name]}.`), `${name} is not among the majors above`).toBe(true);
  });
});

test('the documents name the address of the releases, with the version', () => {
  const { config, version }: { config: { releases: string }; version: string } = JSON.parse(
    read('package.json'),
  );
  const text = ['docs/install.md', 'docs/gitlab.md', 'README.md'].map(read).join('\n');
  const named = text.match(/https:\/\/[^\s"]+\/packages\/generic\/[^/\s"]+\/[^/\s"]+/g) ?? [];
  expect(named.length).toBeGreaterThan(1);
  expect(new Set(named)).toEqual(new Set([`${config.releases}/v${version}`]));
});

test('.editorconfig has the line length of .oxfmtrc.json', () => {
  const { printWidth }: { printWidth: number } = JSON.parse(read('.oxfmtrc.json'));
  expect(read('.editorconfig').split('\n')).toContain(`max_line_length = ${printWidth}`);
});

test('package-lock.json has no addresses', () => {
  expect(read('package-lock.json')).not.toContain('"resolved"');
});

describe('the files of the project', () => {
  const files = projectFiles();

  test('name no registry host', () => {
    expect(files.length).toBeGreaterThan(20);
    expect(filesWith(files, HOSTS)).toEqual([]);
  });

  test('show nobody how to run a name of npm that is not registered', () => {
    const calls = ['npx ', 'npx --yes ', 'npm exec ', 'npm install -g ', 'npm i -g '].map(
      (call) => `${call}drayage`,
    );
    expect(filesWith(files, calls)).toEqual([]);
  });

  test('hold no test that runs alone', () => {
    expect(
      filesWith(
        files,
        ['only('].map((call) => `.${call}`),
      ),
    ).toEqual([]);
  });
});

function read(file: string): string {
  return readFileSync(new URL(file, ROOT), 'latin1');
}

function filesWith(files: string[], needles: string[]): string[] {
  return files.filter((file) => {
    const text = read(file);
    return needles.some((needle) => text.includes(needle));
  });
}

/** What git tracks or would track; without git, what is in the folders of the project. */
function projectFiles(): string[] {
  try {
    const args = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
    const listed = execFileSync('git', args, {
      cwd: ROOT,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return listed.split('\0').filter((file) => file !== '' && isFile(file));
  } catch {
    const inRoot = readdirSync(ROOT).filter(
      (name) => !['.git', 'node_modules', 'dist', 'coverage'].includes(name),
    );
    return inRoot.flatMap(walk).filter(isFile);
  }
}

function walk(name: string): string[] {
  const url = new URL(name, ROOT);
  if (!statSync(url).isDirectory()) return [name];
  return readdirSync(url, { recursive: true, encoding: 'utf8' }).map((file) => `${name}/${file}`);
}

function isFile(file: string): boolean {
  return statSync(new URL(file, ROOT), { throwIfNoEntry: false })?.isFile() === true;
}
