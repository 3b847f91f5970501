import { execFileSync } from 'node:child_process';
import { createReadStream, openSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { Layout } from '../../src/layout/layout.ts';
import { save } from '../../src/verbs/save/save.ts';
import type { CliResult } from '../support/cli.ts';
import { drayage } from '../support/cli.ts';
import { FakeRegistry } from '../support/fake-registry.ts';
import { fixtureArchive, fixturePath } from '../support/fixtures.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const DEMO = fixturePath('demo.tar');
const NAME = 'drayage-demo/api:1.0';

let cwd: string;
beforeEach(async () => {
  cwd = await temporaryFolder();
});

const piped = async (...args: string[]): Promise<CliResult> =>
  drayage(args, { cwd, input: createReadStream(DEMO) });

describe('an archive in standard input', () => {
  test.each([
    ['save', '--from', '-', '-o', 'out'],
    ['save', '--from', 'docker-archive:-', '-o', 'out'],
    ['save', '--from', 'oci-archive:-', '-o', 'out'],
    ['save', '--from', `docker-archive:-:${NAME}`, '-o', 'out'],
    ['load', 'docker-archive:-', '--to', 'oci:out', '--expect', 'none'],
    ['load', `oci-archive:-:${NAME}`, '--to', 'oci:out', '--expect', 'none'],
    ['merge', 'docker-archive:-', '-o', 'out'],
    ['save', '--from', DEMO, '--base-layout', 'docker-archive:-', '-o', 'out'],
  ])('is read by %s %s %s', async (...args) => {
    const { code, stderr } = await piped(...args);
    expect([code, stderr]).toEqual([0, expect.not.stringContaining('drayage: standard')]);
    const names = (await (await Layout.open(join(cwd, 'out'))).images()).flatMap((image) => image.names);
    expect(names).toContain(NAME);
  });

  test('is read by promote', async () => {
    const fake = await FakeRegistry.start();
    const args = ['promote', NAME, `${fake.host}/app:1`, '--from', 'docker-archive:-', '--expect', 'none'];
    expect(await piped(...args)).toMatchObject({ code: 0 });
    expect([...fake.store.repository('app').tags.keys()]).toEqual(['1']);
  });

  test('is compared with a file', async () => {
    const { code, stdout } = await piped('diff', 'docker-archive:-', `docker-archive:${DEMO}`);
    expect(code).toBe(0);
    expect(stdout).toMatch(/only in docker-archive:-: 0 layers/);
  });

  test.each([
    ['diff', 'docker-archive:-', 'docker-archive:-'],
    ['merge', 'docker-archive:-', 'oci-archive:-', '-o', 'out'],
    ['save', '--from', '-', '--base-layout', 'docker-archive:-', '-o', 'out'],
  ])('cannot be read twice: %s %s %s', async (...args) => {
    const { code, stderr } = await piped(...args);
    expect([code, stderr]).toEqual([
      2,
      'drayage: standard input is named twice, and can be read once\n  write it to a file first\n',
    ]);
  });

  test.each([
    ['inspect', 'docker-archive:-'],
    ['verify', 'docker-archive:-'],
    ['prune', 'oci-archive:-'],
    ['save', '--from', DEMO, '-o', 'docker-archive:-'],
    ['merge', `docker-archive:${DEMO}`, '-o', 'docker-archive:-'],
  ])('is no layout, and the answer is a way that works: %s %s', async (...args) => {
    const { code, stderr } = await piped(...args);
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(
        /archive:- is an archive, but a layout is required\n {2}make a layout of it: drayage save --from \w+-archive:- -o DIR/,
      ),
    ]);
  });

  test.each([
    ['save', '--from', 'oci:-', '-o', 'out'],
    ['load', 'oci:-'],
    ['load', '-'],
    ['verify', '-'],
    ['diff', 'oci:-', 'docker-archive:-'],
  ])('is no folder: %s %s', async (...args) => {
    const { code, stderr } = await piped(...args);
    expect([code, stderr]).toEqual([2, expect.stringContaining('a folder of this name is ./-')]);
  });
});

describe('an archive on standard output', () => {
  test.each([
    ['-', NAME],
    ['docker-archive:-', NAME],
    ['oci-archive:-', NAME],
    ['docker-archive:-:other:2', 'other:2'],
    ['oci-archive:-:other:2', 'other:2'],
  ])('is written by load --to %s', async (target, name) => {
    await save({ from: fixtureArchive('demo.tar'), to: await Layout.create(join(cwd, 'lay')) });
    const args = ['load', 'lay', '-i', NAME, '--expect', 'none', '--to', target];
    const stdout = openSync(join(cwd, 'out.tar'), 'w');
    expect(await drayage(args, { cwd, stdout })).toMatchObject({ code: 0 });
    const entries = execFileSync('tar', ['-tf', join(cwd, 'out.tar')]).toString();
    expect(entries.includes('oci-layout')).toBe(target.startsWith('oci'));
    const again = await drayage(['save', '--from', 'out.tar', '-o', 'again', '-q', '--json'], { cwd });
    expect(again.stdout).toContain(`"name":"${name}"`);
  });

  test('is no folder', async () => {
    const { code, stderr } = await drayage(['load', '--to', 'oci:-'], { cwd });
    expect([code, stderr]).toEqual([2, expect.stringContaining('a folder of this name is ./-')]);
  });
});
