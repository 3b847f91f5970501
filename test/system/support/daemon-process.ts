/** Starts and ends one daemon process in namespaces of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { DaemonPaths } from './daemon-kinds.ts';

const NAMESPACE_SCRIPT = fileURLToPath(new URL('daemon-namespace.sh', import.meta.url));
const START_TIMEOUT_MS = 60_000;

/**
 * Spawns `command` as process 1 of its own namespaces (see daemon-namespace.sh). Its output goes to `log` in
 * the folder. The kernel kills it when this process dies, however that comes about.
 * @param network `host` leaves it in the machine's own network, so that its ports can be reached
 */
export function spawnDaemon(
  folder: string,
  root: string,
  command: readonly string[],
  network: 'own' | 'host' = 'own',
): ChildProcess {
  const log = openSync(join(folder, 'log'), 'a');
  const net = network === 'own' ? ['--net'] : [];
  const namespaces = ['--mount', '--pid', ...net, '--fork', '--kill-child=SIGKILL'];
  const child = spawn(
    'setpriv',
    ['--pdeathsig', 'KILL', 'unshare', ...namespaces, NAMESPACE_SCRIPT, folder, root, ...command],
    {
      cwd: '/',
      detached: true,
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: folder, TMPDIR: join(folder, 't') },
      stdio: ['ignore', log, log],
    },
  );
  closeSync(log);
  return child;
}

/**
 * Waits until the daemon answers `/_ping`.
 * @throws {Error} With the end of its log, when it exits instead or takes longer than a minute.
 */
export async function waitUntilUp(child: ChildProcess, { folder, socket }: DaemonPaths): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!(await isUp(socket))) {
    if (hasEnded(child)) throw new Error(`the daemon has exited:\n${logTail(folder)}`);
    if (Date.now() > deadline) throw new Error(`the daemon does not come up:\n${logTail(folder)}`);
    await sleep(50);
  }
}

/** Whether the daemon answers. */
async function isUp(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const sent = get({ socketPath, path: '/_ping', timeout: 5000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    sent.on('timeout', () => sent.destroy());
    sent.on('error', () => resolve(false));
  });
}

/** Kills the daemon with all that it started, by process id, and waits until the last of them is gone. */
export async function killDaemon(child: ChildProcess, folder: string): Promise<void> {
  if (hasEnded(child)) return;
  const exited = once(child, 'exit');
  // `unshare` waits for process 1, and process 1 is gone only after all others of its namespace.
  signal(outsidePid(folder) ?? child.pid);
  const late = sleep(10_000, undefined, { ref: false }).then(() => signal(child.pid));
  await Promise.race([exited, late]);
  await exited;
}

function hasEnded(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
}

function outsidePid(folder: string): number | undefined {
  try {
    return Number.parseInt(readFileSync(join(folder, 'pid'), 'utf8'), 10) || undefined;
  } catch {
    return undefined;
  }
}

function signal(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

function logTail(folder: string): string {
  return readFileSync(join(folder, 'log'), 'utf8').split('\n').slice(-25).join('\n');
}
