import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Sources } from './import-table.ts';
import { ambientReads, forbiddenImports, importCycles, unusedPermissions } from './import-table.ts';

const SRC = new URL('../../src/', import.meta.url);

describe('the sources', () => {
  const sources: Sources = new Map(
    readdirSync(SRC, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => [file, readFileSync(new URL(file, SRC), 'utf8')]),
  );

  test('import only what the table allows', () => {
    expect(sources.size).toBeGreaterThan(10);
    expect(forbiddenImports(sources)).toEqual([]);
  });

  test('need every permission of the table', () => {
    expect(unusedPermissions(sources)).toEqual([]);
  });

  test('import each other without cycles', () => {
    expect(importCycles(sources)).toEqual([]);
  });

  test('read environment, arguments, working folder and clock in cli only', () => {
    expect(ambientReads(sources)).toEqual([]);
  });
});

describe('an import', () => {
  test.each([
    ['oci/a.ts', `import { b } from './b.ts';`],
    ['oci/a.ts', `import { DrayageError } from '../errors.ts';`],
    ['oci/a.ts', `import * as v from 'valibot';`],
    ['image/a.ts', `import type { ContentSource } from '../content/content.ts';`],
    ['docker/a.ts', `import { b } from '../archive/read/b.ts';`],
    ['verbs/save/thin/a.ts', `import { b } from '../save.ts';`],
    ['layout/a.ts', `import { open } from 'node:fs/promises';`],
    ['verbs/save/save.ts', `import { a } from '../../listing/unique-reference.ts';`],
    ['verbs/unload.ts', `import { a } from './load/lease.ts';`],
    ['index.ts', `export { save } from './verbs/save/save.ts';`],
    ['cli/a.ts', `import { save } from '../index.ts';`],
    ['cli/a.ts', `import { DrayageError } from '../errors.ts';`],
    ['cli/grammar/a.ts', `const { save } = await import('../commands/save.ts');`],
    ['cli/grammar/a.ts', `import type { SaveOptions } from '../commands/save.ts';`],
    ['cli/a.ts', `import type { SaveResult } from '../index.ts';`],
    ['oci/a.ts', `// import { x } from '../layout/x.ts';\nconst text = "import x from 'undici'";`],
  ])('in %s is allowed: %s', (file, text) => {
    expect(forbiddenImports(new Map([[file, text]]))).toEqual([]);
  });

  test.each([
    ['errors.ts', `import { a } from './oci/a.ts';`, 'static import of ./oci/a.ts'],
    ['oci/a.ts', `import { a } from '../progress.ts';`, 'static import of ../progress.ts'],
    ['oci/a.ts', `import { readFile } from 'node:fs/promises';`, 'static import of node:fs/promises'],
    ['oci/a.ts', `import fs from 'fs';`, 'static import of fs'],
    ['content/a.ts', `import type { Image } from '../image/b.ts';`, 'type import of ../image/b.ts'],
    ['content/a.ts', `import { verified } from '../stream/b.ts';`, 'static import of ../stream/b.ts'],
    ['archive/a.ts', `export { b } from '../docker/b.ts';`, 'static import of ../docker/b.ts'],
    ['archive/read/a.ts', `type B = import('../../layout/b.ts').B;`, 'type import of ../../layout/b.ts'],
    ['archive/tar/a.ts', `import { b } from '../read/b.ts';`, 'static import of ../read/b.ts'],
    ['registry/a.ts', `import { b } from '../layout/b.ts';`, 'static import of ../layout/b.ts'],
    ['layout/a.ts', `const b = await import('undici');`, 'dynamic import of undici'],
    ['layout/a.ts', `const b = await import(name);`, 'dynamic import of name'],
    ['layout/a.ts', `const B: string = 'undici';\nconst b = await import(B);`, 'dynamic import of undici'],
    ['layout/a.ts', `const b = process.getBuiltinModule('node:net');`, 'dynamic import of node:net'],
    ['verbs/save/a.ts', `import { load } from '../load/b.ts';`, 'static import of ../load/b.ts'],
    ['verbs/a.ts', `import { program } from '../cli/bin.ts';`, 'static import of ../cli/bin.ts'],
    ['cli/a.ts', `const { save } = await import('../index.ts');`, 'dynamic import of ../index.ts'],
    ['cli/a.ts', `const { b } = await import('./b.ts');`, 'dynamic import of ./b.ts'],
    ['cli/sources.ts', `import { unpackArchives } from './unpack.ts';`, 'static import of ./unpack.ts'],
    ['cli/grammar/a.ts', `import { save } from '../../index.ts';`, 'static import of ../../index.ts'],
    ['cli/grammar/a.ts', `import { b } from '../commands/b.ts';`, 'static import of ../commands/b.ts'],
    ['cli/a.ts', `const { save } = await import('../verbs/b.ts');`, 'dynamic import of ../verbs/b.ts'],
    ['cli/a.ts', `import type { Save } from '../verbs/b.ts';`, 'type import of ../verbs/b.ts'],
    ['helpers.ts', `import { DrayageError } from './errors.ts';`, 'static import of ./errors.ts'],
    ['helpers/a.ts', `import { b } from '../oci/b.ts';`, 'static import of ../oci/b.ts'],
    ['verbs/a.ts', `import { b } from '../helpers/b.ts';`, 'static import of ../helpers/b.ts'],
  ])('in %s is forbidden: %s', (file, text, found) => {
    expect(forbiddenImports(new Map([[file, text]]))).toEqual([`${file}: ${found}`]);
  });
});

test('a permission that nothing needs is found, and a room that is not there', () => {
  const found = unusedPermissions(new Map([['oci/a.ts', `import * as v from 'valibot';`]]));
  expect(found).toContain('oci: node:crypto');
  expect(found).not.toContain('oci: valibot');
  expect(found).toContain('layout: no such room');
});

test('a cycle is found, type-only imports included', () => {
  const sources = new Map([
    ['a.ts', `import './oci/b.ts';`],
    ['oci/b.ts', `import type { C } from './c.ts';`],
    ['oci/c.ts', `export { a } from '../a.ts';`],
    ['d.ts', `import './a.ts'; import './oci/b.ts';`],
  ]);
  expect(importCycles(sources)).toEqual(['a.ts > oci/b.ts > oci/c.ts > a.ts']);
  expect(importCycles(new Map([...sources, ['oci/c.ts', '']]))).toEqual([]);
});

describe('a read of the surroundings', () => {
  test.each([
    ['process.env.HOME', 'process.env'],
    [`process['env']`, 'process.env'],
    ['globalThis.process.argv[2]', 'process.argv'],
    ['process.cwd()', 'process.cwd'],
    ['const now = Date.now;', 'Date.now'],
    ['new Date()', 'new Date()'],
    ['const { env } = process;', 'process under another name'],
  ])('is found: %s', (text, what) => {
    expect(ambientReads(new Map([['verbs/a.ts', text]]))).toEqual([`verbs/a.ts: ${what}`]);
    expect(ambientReads(new Map([['cli/a.ts', text]]))).toEqual([]);
  });

  test.each([
    '// process.env',
    '/** Date.now() */',
    '"process.cwd()"',
    'process.versions.node',
    'new Date(created)',
  ])('is not: %s', (text) => {
    expect(ambientReads(new Map([['verbs/a.ts', text]]))).toEqual([]);
  });
});
