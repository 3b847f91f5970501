import { readArchive } from '../../../archive/read/read.ts';
import type { ArrivedImage } from '../../../content/arrived-image.ts';
import { DrayageError } from '../../../errors.ts';
import { isIdOf, taggedName } from '../../../oci/reference.ts';
import type { SourceOptions } from './source.ts';
import { forPlatform } from './platform.ts';

/** Takes images in from an archive: those that are asked for, or all. */
export async function fromArchive(
  archive: AsyncIterable<Uint8Array>,
  options: SourceOptions,
): Promise<ArrivedImage[]> {
  const { images, layers } = await readArchive(archive, options);
  const { images: asked = [] } = options;
  if (asked.length === 0) return forPlatform({ images, layers }, options);
  const chosen: ArrivedImage[] = [];
  for (const text of asked)
    chosen.push(...(await forPlatform({ images: named(text, images), layers }, options)));
  return chosen;
}

/** One image, or those of several platforms that share the name. */
function named(text: string, images: readonly ArrivedImage[]): ArrivedImage[] {
  const name = taggedName(text);
  const byName = images.filter(({ names }) => name !== undefined && names.includes(name));
  if (byName.length > 0 && name !== undefined) return byName.map((found) => ({ ...found, names: [name] }));
  const byForeign = images.filter(({ foreign }) => foreign?.includes(text) === true);
  if (byForeign.length > 0) return byForeign.map((found) => ({ ...found, names: [], foundAs: text }));
  const byId = images.find(({ root, id }) => isIdOf(text, id) || isIdOf(text, root.digest));
  if (byId !== undefined) return [{ ...byId, names: [] }];
  const candidates = images.flatMap(({ names, foreign = [], id }) => {
    const called = [...names, ...foreign];
    return called.length > 0 ? called : [id];
  });
  throw new DrayageError('NOT_FOUND', `no image ${JSON.stringify(text)} in the archive`, {
    candidates,
    hint: `it holds ${candidates.join(', ')}`,
  });
}
