import type { DaemonIdentity } from '../../content/endpoint.ts';
import type { ContentOptions } from '../../content/source.ts';
import { DrayageError } from '../../errors.ts';
import type { DaemonInfo } from '../connect/info.ts';
import { readInfo } from '../connect/info.ts';
import type { Transport } from '../connect/transport.ts';
import type { Store } from '../kinds/store.ts';

/**
 * What tells a daemon from others. The ID alone does not: docker before 23 keeps it outside its data, and copies of a
 * machine share it.
 * @param known what the daemon said of itself when it was greeted
 * @throws {@link DrayageError} `UNSAFE` if the daemon has no lasting ID; `DAEMON`, `UNREACHABLE`
 */
export async function readIdentity(
  { transport, store }: { transport: Transport; store: Store },
  known: DaemonInfo | undefined,
  options: ContentOptions,
): Promise<DaemonIdentity> {
  const { name: host } = transport.host;
  if (!store.hasIdentity) throw noIdentity(`${store.title} at ${host} has another ID in each answer`);
  const { id, name, root } = known ?? (await readInfo(transport, options));
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
