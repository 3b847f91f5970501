import { DrayageError } from '../../../errors.ts';
import type { ArrivedImage } from '../../../content/arrived-image.ts';
import type { ArriveOptions } from '../arrival.ts';
import { isIdOf, nameOf } from './image-id.ts';
import { forPlatform } from './platform.ts';
import { readArrivals } from './read-arrivals.ts';

/** Takes images in from an archive: those that are asked for, or all. */
export async function fromArchive(
  archive: AsyncIterable<Uint8Array>,
  options: ArriveOptions,
): Promise<ArrivedImage[]> {
  const { images = [] } = options;
  const { arrivals, layers } = await readArrivals(archive, options);
  if (images.length === 0) return forPlatform({ arrivals, layers }, options);
  const chosen: ArrivedImage[] = [];
  for (const text of images)
    chosen.push(...(await forPlatform({ arrivals: named(text, arrivals), layers }, options)));
  return chosen;
}

/** One image, or those of several platforms that share the name. */
function named(text: string, arrivals: readonly ArrivedImage[]): ArrivedImage[] {
  const name = nameOf(text);
  const byName = arrivals.filter(({ names }) => name !== undefined && names.includes(name));
  if (byName.length > 0 && name !== undefined) return byName.map((found) => ({ ...found, names: [name] }));
  const byForeign = arrivals.filter(({ foreign }) => foreign?.includes(text) === true);
  if (byForeign.length > 0) return byForeign.map((found) => ({ ...found, names: [], foundAs: text }));
  const byId = arrivals.find(({ root, id }) => isIdOf(text, id) || isIdOf(text, root.digest));
  if (byId !== undefined) return [{ ...byId, names: [] }];
  const candidates = arrivals.flatMap(({ names, foreign = [], id }) => {
    const called = [...names, ...foreign];
    return called.length > 0 ? called : [id];
  });
  throw new DrayageError('NOT_FOUND', `no image ${JSON.stringify(text)} in the archive`, {
    candidates,
    hint: `it holds ${candidates.join(', ')}`,
  });
}
