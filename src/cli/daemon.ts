import type { DockerDaemon } from '../index.ts';
import type { Context } from './context.ts';
import { library } from './library.ts';

/** Connects to the daemon that `--host` or DOCKER_HOST names, else to the local one. */
export async function openDaemon(host: string | undefined, { env, signal }: Context): Promise<DockerDaemon> {
  const { connectDocker } = await library();
  // An empty DOCKER_HOST counts as unset, as docker itself has it.
  return connectDocker({ host: host ?? (env['DOCKER_HOST'] || undefined), signal });
}
