import * as v from 'valibot';
import type { DaemonIdentity } from '../../content/endpoint.ts';
import type { ContentOptions } from '../../content/source.ts';
import { DrayageError } from '../../errors.ts';
import { readJson } from '../connect/reply.ts';
import type { Transport } from '../connect/transport.ts';
import type { Store } from '../kinds/store.ts';

const infoSchema = v.looseObject({
  ID: v.optional(v.string(), ''),
  Name: v.optional(v.string(), ''),
  DockerRootDir: v.optional(v.string(), ''),
});

/**
 * What tells a daemon from others. The ID alone does not: docker before 23 keeps it outside its data, and copies of a
 * machine share it.
 * @throws {@link DrayageError} `UNSAFE` if the daemon has no lasting ID; `DAEMON`, `UNREACHABLE`
 */
export async function readIdentity(
  { transport, store }: { transport: Transport; store: Store },
  options: ContentOptions,
): Promise<DaemonIdentity> {
  const { name: host } = transport.host;
  if (!store.hasIdentity) throw noIdentity(`${store.title} at ${host} has another ID in each answer`);
  const info = await readJson(infoSchema, await transport.open({ ...options, path: '/info' }), 'info');
  const { ID: id, Name: name, DockerRootDir: root } = info;
  if (id === '' || name === '' || root === '')
    throw noIdentity(`docker at ${host} does not state its ID, its name and its folder`);
  return { id, name, root };
}

function noIdentity(message: string): DrayageError {
  return new DrayageError('UNSAFE', `${message}: nothing can refer to its images`, {
    reason: 'NO_LASTING_DAEMON',
    hint: 'save the layers, too',
  });
}
