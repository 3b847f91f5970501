/** A docker registry that daemons without a network reach: one process on the loopback of each, one storage for all. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BenchDaemon } from './bench-daemon.ts';
import { bytesOf } from './commands.ts';
import type { Lab } from './lab.ts';
import { processCpuSeconds } from './server-cpu.ts';

/** What the daemons call it; docker trusts the loopback without TLS. */
export const REGISTRY = '127.0.0.1:5000';
const START_TIMEOUT_MS = 20_000;

export class BenchRegistry {
  readonly #storage: string;
  readonly #processes: readonly ChildProcess[];

  private constructor(storage: string, processes: readonly ChildProcess[]) {
    this.#storage = storage;
    this.#processes = processes;
  }

  /** Starts one for these daemons; it ends with the lab. */
  static async start(daemons: readonly BenchDaemon[], lab: Lab): Promise<BenchRegistry> {
    const storage = await mkdtemp(join(lab.folder, 'registry-'));
    const config = join(lab.folder, 'registry.json');
    await writeFile(config, JSON.stringify(configuration(storage)));
    const processes: ChildProcess[] = [];
    lab.defer(async () => Promise.all(processes.map(end)));
    for (const [index, daemon] of daemons.entries()) {
      processes.push(await serve(daemon, config, join(lab.folder, `registry-${index}.log`)));
    }
    return new BenchRegistry(storage, processes);
  }

  /** Seconds of CPU used so far. */
  cpuSeconds(): number {
    return this.#processes.reduce((total, { pid }) => total + processCpuSeconds(pid ?? 0), 0);
  }

  /** Bytes that it stores. */
  async bytes(): Promise<number> {
    return bytesOf(this.#storage);
  }

  /** Removes all that it holds. It keeps nothing in memory. */
  async empty(): Promise<void> {
    await rm(join(this.#storage, 'docker'), { recursive: true, force: true });
  }

  /** Keeps a copy of what it holds, for {@link restore}. */
  async snapshot(): Promise<void> {
    await cp(join(this.#storage, 'docker'), `${this.#storage}.snapshot`, { recursive: true });
  }

  /** Holds what it held at the {@link snapshot}, and nothing else. */
  async restore(): Promise<void> {
    await this.empty();
    await cp(`${this.#storage}.snapshot`, join(this.#storage, 'docker'), { recursive: true });
  }
}

function configuration(rootdirectory: string): object {
  return {
    version: '0.1',
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory } },
    http: { addr: REGISTRY },
  };
}

/** In the network namespace of a daemon, whose loopback is still down. */
async function serve({ pid }: BenchDaemon, config: string, logFile: string): Promise<ChildProcess> {
  const inside = [`--net=/proc/${pid}/ns/net`];
  execFileSync('nsenter', [...inside, 'ip', 'link', 'set', 'lo', 'up']);
  const log = openSync(logFile, 'a');
  const args = ['--pdeathsig', 'KILL', 'nsenter', ...inside, 'docker-registry', 'serve', config];
  const child = spawn('setpriv', args, { cwd: '/', detached: true, env: {}, stdio: ['ignore', log, log] });
  closeSync(log);
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!listens(pid)) {
    if (child.exitCode !== null || Date.now() > deadline) {
      throw new Error(`the registry does not come up: ${readFileSync(logFile, 'utf8').slice(-1000)}`);
    }
    await sleep(50);
  }
  return child;
}

/** Whether something listens on port 5000 (hex 1388) there. */
function listens(pid: number): boolean {
  const sockets = ['tcp', 'tcp6'].map((table) => readFileSync(`/proc/${pid}/net/${table}`, 'utf8')).join('');
  return /:1388 \S+ 0A /.test(sockets);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}
