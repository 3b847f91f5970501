import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { CliResult } from '../support/cli.ts';
import { drayage } from '../support/cli.ts';
import { makeCargo } from '../docker/cargo.ts';
import { FakeRegistry } from '../support/fake-registry.ts';
import { SIGNING_JOB } from '../support/gitlab-job.ts';
import { JobChain } from '../support/job-chain.ts';

/** A layer that no compression makes smaller, far larger than all documents. */
const SIZE = 100_000;
const DOCUMENTS = 60_000;
const BASE = randomBytes(SIZE);
const FIRST = makeCargo({ layers: [BASE, 'one'] });
const SECOND = makeCargo({ layers: [BASE, 'one', 'two'] });

let chain: JobChain;
let env: Record<string, string>;
beforeEach(async () => {
  chain = await JobChain.start();
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  await writeFile(join(chain.cwd, 'key.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
  env = { ...SIGNING_JOB, ...chain.envOf('3') };
  await chain.pipeline('1', FIRST);
});

const run = async (...args: string[]): Promise<CliResult> => drayage(args, { cwd: chain.cwd, env });

/** How many bytes GitLab sends for a run that succeeds. */
async function bytesRead(...args: string[]): Promise<number> {
  const before = chain.gitlab.sent;
  expect(await run(...args)).toMatchObject({ code: 0 });
  return chain.gitlab.sent - before;
}

describe('a layout whose base is a job is signed', () => {
  const save = ['save', '--from', 'built', '--base-job', 'build', '-q', '-o', 'plain'];
  const sign = ['sign', 'plain', '--key', 'key.pem'];
  beforeEach(async () => chain.build(SECOND));

  test('by the save without reading what the base states', async () => {
    expect(await bytesRead(...save, '--sign', '--key', 'key.pem')).toBeLessThan(DOCUMENTS);
  });

  test('by sign after reading that', async () => {
    expect(await bytesRead(...save)).toBeLessThan(DOCUMENTS);
    expect(await bytesRead(...sign)).toBeGreaterThan(SIZE);
  });

  test('by sign without reading that if the base is named', async () => {
    expect(await run(...save)).toMatchObject({ code: 0 });
    expect(await bytesRead(...sign, '--base-job', 'build')).toBeLessThan(DOCUMENTS);
  });

  test('by sign after reading that if the named base states something else', async () => {
    expect(await run(...save)).toMatchObject({ code: 0 });
    await chain.pipeline('2', makeCargo({ layers: ['other'] }), []);
    expect(await bytesRead(...sign, '--base-job', 'build')).toBeGreaterThan(SIZE);
  });
});

describe('a layout whose base is a job is promoted', () => {
  let registry: FakeRegistry;
  const promote = (tag: string, from = 'thin'): string[] => [
    'promote',
    'app:1',
    `${registry.host}/app:${tag}`,
    '--from',
    from,
    '--expect=none',
  ];
  beforeEach(async () => {
    registry = await FakeRegistry.start();
    await chain.build(FIRST);
    expect(await run(...promote('1', 'built'))).toMatchObject({ code: 0 });
    await chain.build(SECOND);
    const save = ['save', '--from', 'built', '--base-job', 'build', '-q', '-o', 'thin'];
    expect(await run(...save)).toMatchObject({ code: 0 });
  });

  test('after reading what the base states, although the registry has its blobs', async () => {
    expect(await bytesRead(...promote('2'))).toBeGreaterThan(SIZE);
  });

  test('without reading that if the base is named', async () => {
    expect(await bytesRead(...promote('2'), '--base-job', 'build')).toBeLessThan(DOCUMENTS);
    expect(await bytesRead(...promote('3'), '--base-job', 'build', '--base-ref', 'main')).toBeLessThan(
      DOCUMENTS,
    );
  });

  test('only with a base job if one of its options is given', async () => {
    const { code, stderr } = await run(...promote('2'), '--base-ref', 'main');
    expect(stderr).toContain('--base-ref has no meaning without a base job');
    expect(code).toBe(2);
    expect(await readdir(chain.cwd)).toContain('thin');
  });
});
