import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { drayage } from '../support/cli.ts';
import { FakeDaemon } from '../support/fake-daemon.ts';
import { freePort, sshStandIn } from '../support/front.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

let home: string;
let fake: FakeDaemon;
beforeEach(async () => {
  home = await temporaryFolder();
  fake = await FakeDaemon.start();
});

/** Asks for an image that no daemon has: the refusal names the daemon that was asked. */
async function asked(env: Record<string, string>, args: string[] = []): Promise<string> {
  const { stderr } = await drayage(['save', 'none', ...args], { cwd: home, env: { HOME: home, ...env } });
  return stderr.split('\n')[0] ?? '';
}

const write = async (path: string, content: unknown): Promise<void> => {
  await mkdir(dirname(join(home, path)), { recursive: true });
  await writeFile(join(home, path), JSON.stringify(content));
};

test('the daemon is the one of --host, of DOCKER_HOST, or of the current context', async () => {
  const id = createHash('sha256').update('build').digest('hex');
  const Endpoints = { docker: { Host: fake.host } };
  await write(`.docker/contexts/meta/${id}/meta.json`, { Name: 'build', Metadata: {}, Endpoints });
  await write('.docker/config.json', { currentContext: 'build' });
  const answer = `drayage: docker at ${fake.host} has no image none`;
  expect(await asked({})).toBe(answer);
  expect(await asked({ DOCKER_HOST: 'unix:///nowhere' })).toContain('docker at unix:///nowhere');
  expect(await asked({ DOCKER_HOST: 'unix:///nowhere' }, ['--host', fake.host])).toBe(answer);
  expect(await asked({ DOCKER_CONTEXT: 'other' })).toBe('drayage: there is no docker context "other"');
});

test('ssh is the one on the PATH', async () => {
  const { folder } = await sshStandIn(fake.host.slice('unix://'.length));
  const env = { PATH: `${folder}:/usr/bin:/bin`, DOCKER_HOST: 'ssh://me@build.example' };
  expect(await asked(env)).toBe('drayage: docker at ssh://me@build.example has no image none');
});

test('in CI a daemon that is not there yet is waited for, and that is said', async () => {
  const host = `tcp://127.0.0.1:${await freePort()}`;
  const { code, stderr } = await drayage(['save', 'none', '--host', host], {
    cwd: home,
    env: { HOME: home, CI: 'true' },
    onStart: (child) => child.stderr?.once('data', () => child.kill('SIGTERM')),
  });
  expect(stderr).toBe(
    `drayage: docker at ${host} does not answer yet: waiting for up to 30 s\ndrayage: terminated\n`,
  );
  expect(code).toBe(143);
});
