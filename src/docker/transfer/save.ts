import type { Readable } from 'node:stream';
import type { ContentOptions } from '../../content/source.ts';
import type { SaveArchiveOptions } from '../../content/endpoint.ts';
import { isDrayageError, isUnusable } from '../../errors.ts';
import { isIdOf, parseReference } from '../../oci/reference.ts';
import { withImage } from './by-config.ts';
import { openDelta } from './delta-save.ts';
import type { Images } from '../images/images.ts';
import { givenName } from '../images/images.ts';
import type { SaveTarget } from './request-archive.ts';
import { requestArchive } from './request-archive.ts';

/**
 * Opens the archive of one image, or of several. Each is requested by one name with its tag, or by its ID. From a
 * containerd store, only what is not held is requested.
 */
export async function openSave(
  target: SaveTarget,
  images: string | readonly string[],
  options: SaveArchiveOptions,
): Promise<Readable> {
  const { signal } = options;
  const platform = target.canChoose ? options.platform : undefined;
  if (typeof images === 'string' && options.held !== undefined && target.canChoose) {
    const archive = await tryDelta(target, images, { ...options, held: options.held });
    if (archive !== undefined) return archive;
  }
  const wanted: string[] = [];
  for (const image of [images].flat()) {
    const name = await withImage(target, image, { signal }, async (own) =>
      savedName(target.images, own, { signal }),
    );
    wanted.push(name);
  }
  return requestArchive(target, wanted, platform, { signal });
}

async function savedName(images: Images, image: string, options: ContentOptions): Promise<string> {
  const { id } = await images.inspect(image, options);
  return isIdOf(image, id) || namesDigest(image) ? id : givenName(image);
}

function namesDigest(image: string): boolean {
  return image.includes('@') && parseReference(image).digest !== undefined;
}

async function tryDelta(...parameters: Parameters<typeof openDelta>): Promise<Readable | undefined> {
  try {
    return await openDelta(...parameters);
  } catch (error) {
    // The new parts of the image cannot be had alone, but the whole image may be.
    if (isUnusable(error) || isDrayageError(error, 'DAEMON', 'LIMIT', 'TIMEOUT')) return undefined;
    throw error;
  }
}
