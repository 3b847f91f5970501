import type { ArrivedImage } from '../../../content/arrived-image.ts';
import type { SourceOptions } from './source.ts';
import { namesUnder } from '../../../select/select.ts';
import { fromDaemon } from './daemon.ts';
import { fromArchive, fromLayout } from './place.ts';

/**
 * Reads images from their source, content only.
 * @throws {@link DrayageError} `NOT_FOUND`, `UNREACHABLE`, `TRUNCATED`, `MALFORMED`, `INCOMPLETE`, `DIGEST_MISMATCH`
 */
export async function takeImages(options: SourceOptions): Promise<ArrivedImage[]> {
  const images = await takeFrom(options);
  const names = namesUnder(options.as, images.length);
  return names === undefined ? images : images.map((image) => ({ ...image, names }));
}

async function takeFrom(options: SourceOptions): Promise<ArrivedImage[]> {
  const { from } = options;
  if ('archive' in from) return fromArchive(from, options);
  return 'load' in from ? fromDaemon(from, options) : fromLayout(from, options);
}
