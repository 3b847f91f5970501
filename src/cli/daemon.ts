import { homedir } from 'node:os';
import type { DockerDaemon } from '../index.ts';
import type { Context } from './context.ts';
import { library } from './library.ts';

/** Connects to the daemon that `--host` names, else to the one that docker's own variables, contexts and defaults name. */
export async function openDaemon(
  host: string | undefined,
  { env, signal, onProgress }: Context,
): Promise<DockerDaemon> {
  const { connectDocker, resolveDockerHost } = await library();
  const address = await resolveDockerHost({ ...env, HOME: homedir() }, { host });
  return connectDocker({ ...address, signal, onProgress });
}
