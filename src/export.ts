import type { Readable } from 'node:stream';
import { writeDockerArchive } from './archive/write.ts';
import type { Authenticate, ContentOptions, ImagePolicy } from './content.ts';
import { chainSources } from './content.ts';
import { readImage } from './image.ts';
import type { Platform } from './oci/platform.ts';
import type { OnProgress } from './progress.ts';
import type { ImagePlace } from './selection.ts';
import { selectImages } from './selection.ts';

/** Options of {@link exportArchive}. */
export interface ExportOptions extends ContentOptions {
  /** The layouts to read from. */
  from: readonly ImagePlace[];
  /** Names or digests; default: all images. */
  images?: readonly string[] | undefined;
  /** Which of the images may be written; default: all. */
  policy?: ImagePolicy | undefined;
  /** Asks who made each image, all of them before any is used. Default: nobody asks. */
  authenticate?: Authenticate | undefined;
  /** Which image of a multi-platform one; default: the only one, else the first. */
  platform?: Platform | undefined;
  onProgress?: OnProgress | undefined;
}

/**
 * Writes images as one archive of the form that `docker save` had up to version 24 and that every daemon and tool reads:
 * manifest.json over uncompressed layers. Of every layer digest and size are checked before its first byte comes out, and the diffID before its end; after a failure the
 * stream never ends cleanly.
 * @throws {@link DrayageError} `NOT_FOUND`, `AMBIGUOUS`, `POLICY`; from the stream also `DIGEST_MISMATCH`, `SIZE_MISMATCH`
 */
export async function exportArchive(options: ExportOptions): Promise<Readable> {
  const { from, policy, authenticate, signal, platform, onProgress } = options;
  const onNote = (message: string): void => onProgress?.({ kind: 'note', message });
  const images = [];
  const chosen = await selectImages(from, options.images, { policy, authenticate, onNote, signal });
  for (const { place, image: stored } of chosen) {
    const image = await readImage(place, stored.root, { signal, platform });
    policy?.check(stored, image.config.value);
    images.push({ image, names: stored.names });
  }
  return writeDockerArchive(images, chainSources(from), { signal });
}
