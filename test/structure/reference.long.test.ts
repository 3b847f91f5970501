import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

interface Reflection {
  name: string;
  children?: Reflection[];
}

describe('npm run docs', () => {
  let out: string;
  beforeAll(async () => {
    out = await mkdtemp(join(tmpdir(), 'drayage-reference-'));
    const args = [
      'run',
      '--silent',
      'docs',
      '--',
      '--out',
      join(out, 'html'),
      '--json',
      join(out, 'reference.json'),
    ];
    await promisify(execFile)('npm', args, { cwd: ROOT });
  });
  afterAll(() => rm(out, { recursive: true, force: true }));

  test('names modules as they are imported', async () => {
    const { exports } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'));
    const imported = Object.keys(exports).filter((key) => key !== './package.json');
    const names = imported.map((key) => key.replace(/^\./, 'drayage'));
    const { children = [] }: Reflection = JSON.parse(await readFile(join(out, 'reference.json'), 'utf8'));
    expect(children.map(({ name }) => name).toSorted()).toEqual(names.toSorted());
    for (const module of children) expect(module.children?.length, module.name).toBeGreaterThan(3);
  });

  test('has a page for each of them', async () => {
    const pages = await readdir(join(out, 'html/modules'));
    expect(pages).toContain('drayage_oci.html');
  });
});
