import type { DockerDaemon, FoundDockerHost } from '../index.ts';
import { connectDocker, findDockerHost } from '../index.ts';
import type { Context } from './context.ts';
import { homeOf } from './home.ts';

/** Connects to the daemon of `--host`, otherwise to that of docker's variables, contexts and defaults. */
export async function openDaemon(host: string | undefined, context: Context): Promise<DockerDaemon> {
  const { address } = await findDaemon(host, context);
  return connectTo(address, context);
}

/** Finds the daemon of {@link openDaemon}, and says what decided. */
export async function findDaemon(
  host: string | undefined,
  { env }: Pick<Context, 'env'>,
): Promise<FoundDockerHost> {
  return findDockerHost({ ...env, HOME: homeOf(env) }, { host });
}

/** Connects to a daemon that was found. */
export async function connectTo(
  address: FoundDockerHost['address'],
  { signal, onProgress, idleTimeout }: Pick<Context, 'signal' | 'onProgress' | 'idleTimeout'>,
): Promise<DockerDaemon> {
  return connectDocker({ ...address, signal, onProgress, idleTimeout });
}

/** In CI, a daemon on a socket is the runner's own: other jobs use it, so their tags must not move. */
export function isShared(host: string, env: Context['env']): boolean {
  return env['CI'] === 'true' && !host.startsWith('tcp:');
}
