import type { ImageTags, EndpointLoadResult, NamedImage, ReferredImage } from '../../content/endpoint.ts';
import type { ContentOptions } from '../../content/source.ts';
import { DrayageError } from '../../errors.ts';
import type { Digest } from '../../oci/digest.ts';

/** The time for giving names back after a failure, in ms. */
const TIMEOUT = 30_000;

/** What names images in a daemon. */
export type NamingEndpoint = Pick<ImageTags, 'list' | 'tag' | 'remove'>;

/**
 * Gives an image that is in the daemon its names, in this order. After a failure, names mean what they meant before.
 * @param before the images of the daemon
 * @throws {@link DrayageError} `NOT_FOUND` if the image is gone; `USAGE` for an invalid name; `DAEMON`, `UNREACHABLE`
 */
export async function nameImage(
  to: NamingEndpoint,
  { image, diffIds }: Pick<ReferredImage, 'image' | 'diffIds'>,
  names: readonly string[],
  before: readonly NamedImage[],
  { signal }: ContentOptions,
): Promise<EndpointLoadResult> {
  const owners = names.flatMap((name) => ownerOf(before, name) ?? []);
  const set: string[] = [];
  try {
    for (const name of names) {
      set.push(name);
      await to.tag(image, name, { signal });
    }
  } catch (error) {
    await giveBack(to, set, before).catch(() => undefined);
    throw error;
  }
  const moved = owners.filter(({ from }) => from !== image);
  return {
    daemonId: image,
    status: 'present',
    layersSent: 0,
    layersPresent: diffIds.length,
    bytesSent: 0,
    moved,
  };
}

/** The endpoint as one that names images. */
export function namingEndpoint(to: Partial<NamingEndpoint>, name: string): NamingEndpoint {
  const { list, tag, remove } = to;
  if (list === undefined || tag === undefined || remove === undefined) {
    throw new DrayageError('UNSUPPORTED', `${name}: this daemon cannot name an image that it has`, {
      hint: 'the endpoint needs the methods list, tag and remove',
    });
  }
  return { list: list.bind(to), tag: tag.bind(to), remove: remove.bind(to) };
}

function ownerOf(images: readonly NamedImage[], name: string): { name: string; from: Digest } | undefined {
  const owner = images.find(({ names }) => names.includes(name));
  return owner && { name, from: owner.id };
}

async function giveBack(
  to: NamingEndpoint,
  names: readonly string[],
  before: readonly NamedImage[],
): Promise<void> {
  const options = { signal: AbortSignal.timeout(TIMEOUT) };
  const now = await to.list(options);
  for (const name of names.toReversed()) {
    const [was, is] = [ownerOf(before, name)?.from, ownerOf(now, name)?.from];
    if (was === is) continue;
    if (was !== undefined) await to.tag(was, name, options);
    else await to.remove(name, options);
  }
}
