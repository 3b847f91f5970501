import { generateKeyPairSync } from 'node:crypto';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { makeCargo } from '../docker/cargo.ts';
import type { CliResult } from '../support/cli.ts';
import { drayage } from '../support/cli.ts';
import { FakeDaemon, json } from '../support/fake-daemon.ts';
import { FakeRegistry } from '../support/fake-registry.ts';
import { SIGNING_JOB } from '../support/gitlab-job.ts';
import { JobChain } from '../support/job-chain.ts';

const ID = `sha256:${'c'.repeat(64)}`;
const INFO = { ID: 'ABCD', Name: 'runner-3', DockerRootDir: '/var/lib/docker', DriverStatus: [] };

let chain: JobChain;
let daemon: FakeDaemon;
let registry: FakeRegistry;
beforeEach(async () => {
  chain = await JobChain.start();
  const image = { id: ID, names: ['app:1'], diffIds: [`sha256:${'1'.repeat(64)}`] };
  daemon = await FakeDaemon.start({ images: [image] });
  daemon.handlers.set('GET /info', (_, response) => json(response, INFO));
  registry = await FakeRegistry.start();
  for (const name of ['ours', 'other']) {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    await writeFile(join(chain.cwd, `${name}.pem`), privateKey.export({ type: 'pkcs8', format: 'pem' }));
    await writeFile(join(chain.cwd, `${name}.pub`), publicKey.export({ type: 'spki', format: 'pem' }));
  }
});

/** How a layout with a signed image is saved. */
const SAVES: Readonly<Record<string, () => Promise<string[]>>> = {
  'a layout': async () => {
    await chain.build(makeCargo({ layers: ['base', 'one'] }));
    return ['app:1', '--from', 'built'];
  },
  'a layout whose base is a job': async () => {
    await chain.pipeline('1', makeCargo({ layers: ['base', 'one'] }));
    await chain.build(makeCargo({ layers: ['base', 'one', 'two'] }));
    return ['app:1', '--from', 'built', '--base-job', 'build'];
  },
  'a reference': async () => ['app:1', '--sticky', '--host', daemon.host],
};

/** Commands that require a signature of a key. */
function commandsWith(key: string): string[][] {
  const trust = ['--key', key];
  return [
    ['verify', 'signed', ...trust],
    ['load', 'signed', '--host', daemon.host, ...trust],
    ['load', 'signed', '--to', 'oci:copy', ...trust],
    ['merge', 'signed', '-o', 'copy', ...trust],
    ['promote', 'app:1', `${registry.host}/app:1`, '--from', 'signed', ...trust],
    ['promote', '--all', '--to', `${registry.host}/{name}:{tag}`, '--from', 'signed', ...trust],
  ];
}

const run = async (args: readonly string[], env: Record<string, string> = {}): Promise<CliResult> =>
  drayage(args, { cwd: chain.cwd, env: { DRAYAGE_PLAIN_HTTP: registry.host, ...env } });

/** Words that call a signature good. */
const GOOD = /signed by|proven by|is accepted|"provenance":\{/;

describe.each(Object.entries(SAVES))('a refused signature of %s', (_what, prepare) => {
  test('is told as refused by every command, and nothing is changed', { timeout: 120_000 }, async () => {
    const save = ['save', ...(await prepare()), '-o', 'signed', '--sign', '--key', 'ours.pem'];
    expect(await run(save, { ...SIGNING_JOB, ...chain.envOf('3') })).toMatchObject({ code: 0 });
    const names = structuredClone(daemon.images.map((image) => image.names));
    expect((await run(['verify', 'signed', '--key', 'ours.pub'])).stdout).toMatch(GOOD);
    for (const command of commandsWith('other.pub')) {
      const forms = [command, [...command, '--json']];
      for (const { code, stdout, stderr } of await Promise.all(forms.map((form) => run(form)))) {
        const told = stdout + stderr;
        expect({ command, code, told }).toEqual({
          command,
          code: 5,
          told: expect.stringContaining('its signature is not accepted'),
        });
        expect(told).not.toMatch(GOOD);
      }
    }
    expect((await run(['inspect', 'signed'])).stdout).not.toMatch(GOOD);
    expect((await run(['inspect', 'signed', '--json'])).stdout).not.toMatch(GOOD);
    expect(daemon.images.map((image) => image.names)).toEqual(names);
    expect(daemon.loads).toEqual([]);
    expect(registry.store.repository('app').manifests.size).toBe(0);
    expect(await readdir(chain.cwd)).not.toContain('copy');
  });
});
