/**
 * Real daemons for tests, each on a unix socket in a temp folder, without a network.
 *
 * Every daemon lives in PID, mount and network namespaces of its own: to stop it is to kill one process, its
 * mounts are never seen outside, and it dies with the process that started it. Several can run at once.
 */
import type { ChildProcess } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type DaemonKind, type DaemonPaths, KIND_SPECS, PLUGIN_FOLDER, unavailable } from './daemon-kinds.ts';
import { killDaemon, spawnDaemon, waitUntilUp } from './daemon-process.ts';
import { type CommandOptions, type CommandResult, run } from './run-command.ts';
import { makeTempFolder, removeTempFolder, sweepTempFolders } from './temp-folders.ts';

export { DAEMON_KINDS, type DaemonKind, skipReason } from './daemon-kinds.ts';

export interface TestDaemon {
  readonly kind: DaemonKind;
  /** What it says of itself: `28.5.2+dfsg4`, `4.3.1`. */
  readonly version: string;
  /** For `DOCKER_HOST`: `unix:///…`. */
  readonly host: string;
  /** The socket's path. */
  readonly socket: string;
  /** The socket of the containerd that it runs, where it runs one. */
  readonly containerd: string;
  /** Its data root, the same path inside and outside. */
  readonly dataRoot: string;
  /** Runs the docker client of the daemon's own version (podman: 20.10) against it. 28 has buildx too. */
  docker(args: readonly string[], options?: CommandOptions): Promise<CommandResult>;
  /** Ends it at once, as a crash would, and leaves its folder. */
  kill(): Promise<void>;
  /** Starts it again upon what it has stored, as after a crash of its machine: {@link kill} it first. */
  restart(): Promise<void>;
  /** Ends it and removes all that it stored. May be called twice, and after {@link kill}. */
  stop(): Promise<void>;
}

/** What a daemon gets beyond what all have. */
export interface StartOptions {
  /** Where it listens, beside its socket: arguments of its program. It stays in the machine's own network then. */
  readonly listen?: readonly string[];
}

/**
 * Starts a daemon with no images and waits until it answers.
 * @throws {Error} When this kind cannot run here, or does not come up; with the end of its log.
 */
export async function startDaemon(kind: DaemonKind, { listen }: StartOptions = {}): Promise<TestDaemon> {
  const reason = unavailable(kind);
  if (reason !== undefined) throw new Error(`${kind} cannot run here: ${reason}`);
  await sweepTempFolders();
  const folder = await makeTempFolder();
  const paths = { folder, socket: join(folder, 's'), dataRoot: join(folder, 'd') };
  const { root, program, args, config } = KIND_SPECS[kind];
  await mkdir(join(folder, 't'));
  await writeFile(join(folder, 'daemon.json'), JSON.stringify(config));
  const docker = await makeClient(kind, paths);
  const command = [program, ...args(paths), ...(listen ?? [])];
  const start = async (): Promise<ChildProcess> => {
    const child = spawnDaemon(folder, root, command, listen === undefined ? 'own' : 'host');
    try {
      await waitUntilUp(child, paths);
      return child;
    } catch (error) {
      await killDaemon(child, folder);
      throw error;
    }
  };
  try {
    const child = await start();
    const { stdout } = await docker(['version', '--format', '{{.Server.Version}}']);
    return assemble(kind, paths, { version: stdout.trim(), child, start, docker });
  } catch (error) {
    await removeTempFolder(folder);
    throw error;
  }
}

/** A client with a home and settings of its own, so that it knows no credentials and no contexts. */
async function makeClient(kind: DaemonKind, { folder, socket }: DaemonPaths): Promise<TestDaemon['docker']> {
  const env = { PATH: '/usr/bin:/bin', HOME: folder, DOCKER_CONFIG: join(folder, 'c') };
  await mkdir(env.DOCKER_CONFIG);
  const config = { cliPluginsExtraDirs: [PLUGIN_FOLDER] };
  await writeFile(join(env.DOCKER_CONFIG, 'config.json'), JSON.stringify(config));
  return async (args, options = {}) =>
    run(KIND_SPECS[kind].client, ['-H', `unix://${socket}`, ...args], {
      ...options,
      env: { ...env, ...options.env },
    });
}

/** How a daemon runs. */
interface Running {
  version: string;
  child: ChildProcess;
  start: () => Promise<ChildProcess>;
  docker: TestDaemon['docker'];
}

function assemble(kind: DaemonKind, paths: DaemonPaths, running: Running): TestDaemon {
  const { folder, socket, dataRoot } = paths;
  const { version, start, docker } = running;
  let { child } = running;
  const kill = async (): Promise<void> => killDaemon(child, folder);
  return {
    kind,
    version,
    host: `unix://${socket}`,
    socket,
    containerd: join(folder, 'x/containerd/containerd.sock'),
    dataRoot,
    docker,
    kill,
    restart: async () => {
      await forgetRun(paths);
      child = await start();
    },
    stop: async () => {
      await kill();
      await removeTempFolder(folder);
    },
  };
}

/** Takes away what only says that a daemon runs; it lies in `/run` as a rule, and no reboot leaves it. */
async function forgetRun({ folder, socket }: DaemonPaths): Promise<void> {
  const left = [socket, ...['docker.pid', 'pid', 'x', 'l'].map((name) => join(folder, name))];
  await Promise.all(left.map(async (path) => rm(path, { recursive: true, force: true })));
}
