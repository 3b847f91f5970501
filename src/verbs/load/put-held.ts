import type { EndpointLoadResult, ImageEndpoint, ImageTags, NamedImage } from '../../content/endpoint.ts';
import type { ContentOptions } from '../../content/source.ts';
import { isDrayageError } from '../../errors.ts';
import type { Leaseholder } from './lease.ts';
import { leaseReference } from './lease.ts';

/** How often an image is put at most, when other jobs interfere. */
const MAX_ATTEMPTS = 3;

/** Where an image gets its names, and who holds them. */
export interface PutOptions extends ContentOptions {
  to: Pick<ImageTags, 'list'> & Pick<ImageEndpoint, 'inspect'>;
  lease?: Leaseholder | undefined;
}

/** The images of a daemon just before an image is put. A list costs a daemon more than anything else that is asked. */
type ListBefore = () => Promise<readonly NamedImage[]>;

/**
 * Puts an image under its names. With a leaseholder, each name comes after its lease: the daemon gets the image under
 * the first lease, so that it is held before anybody sees it. Another job may unload the same image at the same time.
 * Then the image may go after it was found and before it is held, a name may go with that job's lease, and podman may
 * fail over a half-removed image. In these cases the image is put again, a few times at most.
 * @param unique its unique tag
 */
export async function putHeld(
  { to, lease, signal }: PutOptions,
  unique: string,
  names: readonly string[],
  put: (names: readonly string[], before: ListBefore) => Promise<EndpointLoadResult>,
): Promise<EndpointLoadResult> {
  const list: ListBefore = async () => to.list({ signal });
  if (lease === undefined) return put(names, list);
  const images = await list();
  const held = names.flatMap((name) => [leaseReference(lease, unique, name, images), name]);
  for (let attempt = 1; attempt < MAX_ATTEMPTS; attempt++) {
    try {
      const result = await put(held, attempt === 1 ? async () => images : list);
      if (hasNames(await to.inspect(result.daemonId, { signal }), held)) return result;
    } catch (error) {
      if (!isOfOthers(error)) throw error;
    }
  }
  return put(held, list);
}

/** Whether other jobs of a daemon may be the reason for a failure. */
function isOfOthers(error: unknown): boolean {
  if (isDrayageError(error, 'DAEMON')) return error.facts.status === 500;
  return isDrayageError(error, 'NOT_FOUND');
}

/** Podman shows names in `localhost/` without that prefix. */
function hasNames({ names: there }: Pick<NamedImage, 'names'>, names: readonly string[]): boolean {
  return names.every((name) => there.includes(name) || there.includes(name.replace(/^localhost\//, '')));
}
