import { homedir } from 'node:os';
import type { DockerDaemon } from '../index.ts';
import { connectDocker, resolveDockerHost } from '../index.ts';
import type { Context } from './context.ts';

/** Connects to the daemon of `--host`, otherwise to that of docker's variables, contexts and defaults. */
export async function openDaemon(
  host: string | undefined,
  { env, signal, onProgress }: Context,
): Promise<DockerDaemon> {
  const address = await resolveDockerHost({ ...env, HOME: homedir() }, { host });
  return connectDocker({ ...address, signal, onProgress });
}

/** In CI, a daemon on a socket is the runner's own: other jobs use it, so their tags must not move. */
export function isShared(host: string, env: Context['env']): boolean {
  return env['CI'] === 'true' && !host.startsWith('tcp:');
}
