import type { ArrivedImage } from '../../../content/arrived-image.ts';
import type { ArriveOptions } from '../arrival.ts';
import { namesUnder } from '../../../select/select.ts';
import { fromArchive } from './archive.ts';
import { fromDaemon } from './daemon.ts';
import { fromLayout } from './layout.ts';

/**
 * Takes images in from wherever they are, content only.
 * @throws {@link DrayageError} `NOT_FOUND`, `UNREACHABLE`, `TRUNCATED`, `MALFORMED`, `INCOMPLETE`, `DIGEST_MISMATCH`
 */
export async function arrive(options: ArriveOptions): Promise<ArrivedImage[]> {
  const arrivals = await arriveFrom(options);
  const names = namesUnder(options.as, arrivals.length);
  return names === undefined ? arrivals : arrivals.map((arrival) => ({ ...arrival, names }));
}

async function arriveFrom(options: ArriveOptions): Promise<ArrivedImage[]> {
  const { from } = options;
  if ('archive' in from) return fromArchive(from.archive, options);
  return 'load' in from ? fromDaemon(from, options) : fromLayout(from, options);
}
