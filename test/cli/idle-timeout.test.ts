import { describe, expect, test } from 'vitest';
import { drayage } from '../support/cli.ts';
import { SLOW, startSlowServer } from '../support/slow-server.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const DRIP = 'sends a body byte by byte';

/** A command of each kind, and the variables that lead it to a server. */
const COMMANDS: [command: (host: string) => string[], env: (host: string) => Record<string, string>][] = [
  [(host) => ['save', 'app:1', '--host', `tcp://${host}`], () => ({})],
  [() => ['unload', '--older-than', '24h'], (host) => ({ DOCKER_HOST: `tcp://${host}` })],
  [
    () => ['fetch', '--job-id', '7', '--project', '1'],
    (host) => ({ CI_API_V4_URL: `http://${host}/api/v4`, CI_JOB_TOKEN: 'x' }),
  ],
  [(host) => ['untag', `${host}/app:1`], () => ({})],
];

describe.each(COMMANDS)('%s', (command, env) => {
  test.concurrent('ends with 3 if its server sends a byte now and then', { timeout: 60_000 }, async () => {
    const { host } = await startSlowServer(SLOW[DRIP] ?? (() => {}));
    const { code, stderr } = await drayage(command(host), {
      cwd: await temporaryFolder(),
      env: { ...env(host), DRAYAGE_IDLE_TIMEOUT: '1s', DRAYAGE_PLAIN_HTTP: host },
    });
    expect([code, stderr]).toEqual([3, expect.stringContaining('under 64 KiB in 1 s')]);
    expect(stderr).toContain('--idle-timeout 5m');
  });
});

test.each(['0s', 'soon', '-1s'])('--idle-timeout %s is a mistake', async (time) => {
  const { code } = await drayage(['inspect', `--idle-timeout=${time}`], { cwd: await temporaryFolder() });
  expect(code).toBe(2);
});
