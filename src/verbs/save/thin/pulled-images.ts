import pLimit from 'p-limit';
import type { ContentOptions } from '../../../content/source.ts';
import type { ImageEndpoint, ImageTags, NamedImage } from '../../../content/endpoint.ts';
import { isDrayageError } from '../../../errors.ts';
import type { Digest } from '../../../oci/digest.ts';
import { familiarReference, familiarRepository, parseReference } from '../../../oci/reference.ts';
import type { PulledImage } from './base-finder.ts';

/** How many of a daemon's images are inspected, and how many at a time. */
const MAX_IMAGES = 200;
const CONCURRENCY = 8;

/** The daemon's images that came from registries, if it says so. */
export async function pulledImages(
  daemon: Pick<ImageEndpoint, 'inspect'> & Pick<ImageTags, 'list'>,
  options: ContentOptions = {},
): Promise<PulledImage[]> {
  const listed = (await daemon.list(options)).filter(({ digests }) => digests !== undefined);
  const limit = pLimit(CONCURRENCY);
  const found = await Promise.all(
    listed.slice(0, MAX_IMAGES).map((image) =>
      limit(async () => ({
        diffIds: await diffIdsOf(image, daemon, options),
        references: referencesOf(image),
      })),
    ),
  );
  return found.filter(({ diffIds }) => diffIds.length > 0);
}

async function diffIdsOf(
  { id }: NamedImage,
  daemon: Pick<ImageEndpoint, 'inspect'>,
  options: ContentOptions,
): Promise<Digest[]> {
  try {
    return (await daemon.inspect(id, options)).diffIds;
  } catch (error) {
    // It may have been removed since it was listed.
    if (isDrayageError(error, 'NOT_FOUND')) return [];
    throw error;
  }
}

/** With a tag of the same repository if the image has one, because it says more to people. */
function referencesOf({ names, digests = [] }: NamedImage): string[] {
  return digests.map((text) => {
    const reference = parseReference(text);
    const repository = familiarRepository(reference);
    const tag = names
      .map(parseReference)
      .find((name) => familiarRepository(name) === repository && name.tag !== undefined)?.tag;
    return familiarReference({ ...reference, ...(tag !== undefined && { tag }) });
  });
}
