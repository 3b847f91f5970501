import { generateKeyPairSync } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { BASE_JOBS } from '../../src/image/annotations.ts';
import { makeCargo } from '../docker/cargo.ts';
import type { CliResult } from '../support/cli.ts';
import { drayage } from '../support/cli.ts';
import { FakeRegistry } from '../support/fake-registry.ts';
import { SIGNING_JOB } from '../support/gitlab-job.ts';
import { JobChain } from '../support/job-chain.ts';

const FIRST = makeCargo({ layers: ['base', 'one'] });
const SECOND = makeCargo({ layers: ['base', 'one', 'two'] });

type Strings = Record<string, string | undefined>;

let chain: JobChain;
let registry: FakeRegistry;
beforeEach(async () => {
  chain = await JobChain.start();
  registry = await FakeRegistry.start();
  await mkdir(join(chain.cwd, 'workspace'));
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  await writeFile(join(chain.cwd, 'key.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
  await writeFile(join(chain.cwd, 'key.pub'), publicKey.export({ type: 'spki', format: 'pem' }));
  await chain.pipeline('1', FIRST);
  await chain.build(SECOND);
  const save = ['save', '--from', 'built', '--base-job', 'build', '-o', 'thin', '--sign', '--key', 'key.pem'];
  expect(await run(...save)).toMatchObject({ code: 0 });
  await chain.pipeline('2', makeCargo({ layers: ['other'] }), []);
});

async function run(...args: string[]): Promise<CliResult> {
  // The key is beside the workspace, as variables of type File are.
  const CI_PROJECT_DIR = join(chain.cwd, 'workspace');
  const job = { ...SIGNING_JOB, ...chain.envOf('3'), CI_PROJECT_DIR, CI_COMMIT_REF_PROTECTED: 'true' };
  return drayage(args, { cwd: chain.cwd, env: { ...job, DRAYAGE_PLAIN_HTTP: registry.host } });
}

/** Changes an annotation of the signed image, whose digest stays, as whoever writes to the layout can. */
async function edit(key: string, change: (text: string) => string | undefined): Promise<void> {
  const path = join(chain.cwd, 'thin/index.json');
  const index = JSON.parse(await readFile(path, 'utf8')) as { manifests: { annotations?: Strings }[] };
  const annotations = index.manifests.find((one) => one.annotations?.[key] !== undefined)?.annotations;
  if (annotations === undefined) return expect.fail(`no ${key}`);
  const before = annotations[key] ?? '';
  annotations[key] = change(before);
  expect(annotations[key]).not.toBe(before);
  await writeFile(path, JSON.stringify(index));
}

/** The results of the commands that judge the layout. */
async function judged(): Promise<{ verified: CliResult; others: CliResult[] }> {
  const trust = ['--key', 'key.pub'];
  const [verified, ...others] = await Promise.all([
    run('verify', 'thin', ...trust),
    run('load', 'thin', '--to', 'docker-archive:app.tar', ...trust),
    run('promote', 'app:1', `${registry.host}/app:1`, '--from', 'thin', ...trust),
  ]);
  return { verified, others };
}

test(
  'a signed layout whose base is a job is verified, loaded and promoted',
  { timeout: 60_000 },
  async () => {
    const { verified, others } = await judged();
    expect(verified).toMatchObject({ code: 0, stdout: expect.stringContaining('app:1: signed by') });
    expect(others).toMatchObject([{ code: 0 }, { code: 0 }]);
  },
);

describe('an edited annotation of a signed image gets no other layers in', () => {
  test.each<[string, (text: string) => string | undefined, number, number]>([
    ['another job', (text) => text.replace('"job":"1"', '"job":"2"'), 3, 0],
    ['another server', (text) => text.replace(/"server":"[^"]*"/, '"server":"http://127.0.0.1:9"'), 5, 0],
    ['a folder outside the artifact', (text) => text.replace('.drayage/1', '../1'), 4, 4],
    ['a job in two spellings', (text) => text.replace('"job":"1"', '"job":"1","Job":"2"'), 4, 4],
    ['no job', () => undefined, 4, 4],
  ])('where it names %s', { timeout: 60_000 }, async (_, change, code, ofVerify) => {
    await edit(BASE_JOBS, change);
    const { verified, others } = await judged();
    expect(others).toMatchObject([{ code }, { code }]);
    expect(verified).toMatchObject({ code: ofVerify, stdout: expect.stringContaining('app:1: signed by') });
    expect(await readdir(chain.cwd)).not.toContain('app.tar');
    expect(registry.store.repository('app').manifests.size).toBe(0);
  });
});
