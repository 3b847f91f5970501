/**
 * Real daemons for tests, each on a unix socket in a temp folder, without a network.
 *
 * Every daemon lives in PID, mount and network namespaces of its own: to stop it is to kill one process, its
 * mounts are never seen outside, and it dies with the process that started it. Several can run at once.
 */
import type { ChildProcess } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type DaemonKind, type DaemonPaths, KIND_SPECS, unavailable } from './daemon-kinds.ts';
import { killDaemon, request, spawnDaemon, waitUntilUp } from './daemon-process.ts';
import { type CommandOptions, type CommandResult, run, writeClientConfig } from './docker-cli.ts';
import { makeTempFolder, removeTempFolder, sweepTempFolders } from './temp-folders.ts';

export { DAEMON_KINDS, type DaemonKind, skipReason, unavailable } from './daemon-kinds.ts';
export type { CommandOptions, CommandResult } from './docker-cli.ts';

export interface TestDaemon {
  readonly kind: DaemonKind;
  /** What it says of itself: `28.5.2+dfsg4`, `4.3.1`. */
  readonly version: string;
  /** For `DOCKER_HOST`: `unix:///…`. */
  readonly host: string;
  /** The socket's path. */
  readonly socket: string;
  /** Its data root, the same path inside and outside. */
  readonly dataRoot: string;
  /** Process 1 of its namespaces is this one's child; for reading `/proc`. */
  readonly pid: number;
  /** Runs the docker client of the daemon's own version (podman: 20.10) against it. */
  docker(args: readonly string[], options?: CommandOptions): Promise<CommandResult>;
  /** Ends it at once, as a crash would, and leaves its folder. */
  kill(): Promise<void>;
  /** Ends it and removes all that it stored. May be called twice, and after {@link kill}. */
  stop(): Promise<void>;
}

/**
 * Starts a daemon with no images and waits until it answers.
 * @throws {Error} When this kind cannot run here, or does not come up; with the end of its log.
 */
export async function startDaemon(kind: DaemonKind): Promise<TestDaemon> {
  const reason = unavailable(kind);
  if (reason !== undefined) throw new Error(`${kind} cannot run here: ${reason}`);
  await sweepTempFolders();
  const folder = await makeTempFolder();
  const paths = { folder, socket: join(folder, 's'), dataRoot: join(folder, 'd') };
  const { root, program, args, config } = KIND_SPECS[kind];
  await mkdir(join(folder, 't'));
  await writeFile(join(folder, 'daemon.json'), JSON.stringify(config));
  const clientConfig = await writeClientConfig(folder);
  const child = spawnDaemon(folder, root, [program, ...args(paths)]);
  try {
    await waitUntilUp(child, paths);
    return describe(kind, paths, child, { version: await readVersion(paths.socket), clientConfig });
  } catch (error) {
    await killDaemon(child, folder);
    await removeTempFolder(folder);
    throw error;
  }
}

function describe(
  kind: DaemonKind,
  { folder, socket, dataRoot }: DaemonPaths,
  child: ChildProcess,
  { version, clientConfig }: { version: string; clientConfig: string },
): TestDaemon {
  const host = `unix://${socket}`;
  const clientEnv = { PATH: '/usr/bin:/bin', HOME: folder, DOCKER_CONFIG: clientConfig };
  return {
    kind,
    version,
    host,
    socket,
    dataRoot,
    pid: child.pid ?? 0,
    docker: async (args, { input, env } = {}) =>
      run(KIND_SPECS[kind].client, ['-H', host, ...args], {
        env: { ...clientEnv, ...env },
        ...(input === undefined ? {} : { input }),
      }),
    kill: async () => killDaemon(child, folder),
    stop: async () => {
      await killDaemon(child, folder);
      await removeTempFolder(folder);
    },
  };
}

async function readVersion(socket: string): Promise<string> {
  const body = JSON.parse((await request(socket, '/version')) ?? '{}') as { Version?: string };
  return body.Version ?? 'unknown';
}
