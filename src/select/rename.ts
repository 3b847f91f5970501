import { DrayageError } from '../errors.ts';
import { normalizeName } from '../oci/reference.ts';
import type { ImagePlace } from '../content/image-index.ts';
import { overlay } from '../content/overlay.ts';
import type { SelectOptions } from './select.ts';
import { selectImages } from './select.ts';

/**
 * One image of several places as a place of its own, where it goes by another name.
 * @param references names or digests that find it; none means the only one that there is
 * @param name any way to write a name
 * @throws {@link DrayageError} `USAGE` for what is no name; `AMBIGUOUS` where there are several images, `NOT_FOUND`, `POLICY`
 */
export async function renameImage(
  places: readonly ImagePlace[],
  references: readonly string[] | undefined,
  name: string,
  options: SelectOptions = {},
): Promise<ImagePlace> {
  const names = [normalizeName(name)];
  const [only, ...others] = await selectImages(places, references, options);
  if (only === undefined || others.length > 0) {
    throw new DrayageError('AMBIGUOUS', `a name for one image, but there are ${others.length + 1}`, {
      hint: 'choose one with --image',
    });
  }
  const { place } = only;
  const image = { ...only.image, names };
  return overlay(place, { images: async () => [image], resolve: async () => image });
}
