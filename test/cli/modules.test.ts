import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { fixturePath } from '../support/fixtures.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const MAIN = new URL('../../dist/cli/main.js', import.meta.url).href;
const PROJECT = fileURLToPath(new URL('../../', import.meta.url));

/** Runs a command to its end, then tells the modules of packages that were loaded on the way. */
const PROGRAM = `
import { createRequire, Module } from 'node:module';
import { writeFileSync } from 'node:fs';
const [main, out, ...args] = process.argv.slice(1);
const loaded = [];
const load = Module._load;
Module._load = (request, ...rest) => (loaded.push(request), load(request, ...rest));
const code = await (await import(main)).main(args);
const files = Object.keys(createRequire(import.meta.url).cache);
writeFileSync(out, JSON.stringify({ code, loaded: [...loaded, ...files] }));`;

async function modulesOf(...commands: string[][]): Promise<{ code: number; loaded: string[] }> {
  const cwd = await temporaryFolder();
  const out = join(cwd, 'modules.json');
  const { PATH = '' } = process.env;
  await writeFile(join(cwd, 'key.pub'), 'no key');
  for (const command of commands) {
    const args = ['--input-type=module', '-e', PROGRAM, MAIN, out, ...command];
    execFileSync(process.execPath, args, { cwd, env: { PATH }, stdio: ['ignore', 'pipe', 'pipe'] });
  }
  const { readFile } = await import('node:fs/promises');
  return JSON.parse(await readFile(out, 'utf8')) as { code: number; loaded: string[] };
}

const SAVE = ['save', '--from', fixturePath('docker-28-graph.tar'), '-o', 'layout'];
const LOAD = ['load', 'layout', '--to', 'docker-archive:out.tar', '-i', 'example/app:1'];
const ofSigstore = (loaded: string[]): string[] =>
  loaded.filter((name) => /sigstore|tweetnacl/.test(name.replace(PROJECT, '')));

describe('the modules that a command loads', () => {
  test.each([
    ['save', [SAVE]],
    ['load', [SAVE, LOAD]],
    ['inspect', [SAVE, ['inspect', 'layout']]],
    ['verify', [SAVE, ['verify', 'layout']]],
  ])('for %s none of them is for signatures', async (_, commands) => {
    const { code, loaded } = await modulesOf(...commands);
    expect(code).toBe(0);
    expect(loaded.some((name) => name.includes('valibot') || name.includes('commander'))).toBe(true);
    expect(ofSigstore(loaded)).toEqual([]);
  });

  test('are told at all: verifying loads what verifies, and nothing that signs', async () => {
    const { loaded } = await modulesOf(SAVE, ['verify', 'layout', '--key', 'key.pub']);
    const names = ofSigstore(loaded).join('\n');
    expect(names).toContain('@sigstore/verify');
    expect(names).not.toContain('@sigstore/sign');
  });
});
