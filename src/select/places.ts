import type { ImageIndex, ImagePlace, ListOptions, PlacedImage } from '../content/image-index.ts';
import type { ContentOptions } from '../content/source.ts';
import { chainSources } from '../content/source.ts';
import { DrayageError, isDrayageError } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { Selection } from './selection.ts';
import { shellWords } from '../text/shell-word.ts';

/** Several places as one: all their images, and content from the place that has it. */
export function joinPlaces(places: readonly ImagePlace[]): ImagePlace {
  return {
    ...chainSources(places),
    images: async (options) => (await Promise.all(places.map((place) => place.images(options)))).flat(),
    resolve: async (reference, options) => {
      const [first, ...others] = await findByReference(places, reference, options);
      return [first.image, ...others.map(({ image }) => image)];
    },
    referrers: async (descriptor, options) => referrersIn(places, descriptor, options),
  };
}

/**
 * The referrers in several places, for one run. With the first question, each place lists its subjects; then it is asked
 * about these only. So the number of questions grows with the places and the referrers, not with their product.
 */
export function referrersAcross(places: readonly ImageIndex[]): Pick<ImageIndex, 'referrers'> {
  let holders: Promise<(subject: Digest) => readonly ImageIndex[]> | undefined;
  return {
    referrers: async (descriptor, options) => {
      holders ??= findHolders(places, options);
      return referrersIn((await holders)(descriptor.digest), descriptor, options);
    },
  };
}

/** Finds the places to ask about a subject: those that list it, and those that do not list their subjects. */
async function findHolders(
  places: readonly ImageIndex[],
  options: ContentOptions | undefined,
): Promise<(subject: Digest) => readonly ImageIndex[]> {
  const lists = await Promise.all(
    places.map(async (place) => ({ place, subjects: await place.subjects?.(options) })),
  );
  const unlisted = lists.flatMap(({ place, subjects }) => (subjects === undefined ? [place] : []));
  const bySubject = new Map<Digest, ImageIndex[]>();
  for (const { place, subjects = [] } of lists) {
    for (const subject of subjects) {
      const holders = bySubject.get(subject);
      if (holders === undefined) bySubject.set(subject, [place]);
      else holders.push(place);
    }
  }
  return (subject) => [...(bySubject.get(subject) ?? []), ...unlisted];
}

async function referrersIn(
  places: readonly ImageIndex[],
  descriptor: Descriptor,
  options: ContentOptions | undefined,
): Promise<Descriptor[]> {
  const lists = await Promise.all(places.map((place) => place.referrers(descriptor, options)));
  return [...new Map(lists.flat().map((referrer) => [referrer.digest, referrer])).values()];
}

/**
 * The images of several places if all are meant: then one that cannot be read is an error.
 * @throws {@link DrayageError} `MALFORMED`
 */
export async function findWhole(
  places: readonly ImagePlace[],
  { onProgress, signal, authenticate }: Pick<Selection, 'onProgress' | 'signal' | 'authenticate'>,
): Promise<PlacedImage[]> {
  const byContent = authenticate !== undefined;
  return findAll(places, { onProgress, signal, references: true, byContent, onDamaged: refuse });
}

function refuse(error: DrayageError): never {
  throw error;
}

/** All images of several places. */
export async function findAll(places: readonly ImagePlace[], options: ListOptions): Promise<PlacedImage[]> {
  const lists = await Promise.all(
    places.map(async (place) => ({ place, images: await place.images(options) })),
  );
  return lists.flatMap(({ place, images }) => images.map((image) => ({ place, image })));
}

/**
 * The images of a reference in each of several places.
 * @throws {@link DrayageError} `NOT_FOUND` with the existing names, if no place has one
 */
export async function findByReference(
  places: readonly ImagePlace[],
  reference: string,
  options: ListOptions = {},
): Promise<[PlacedImage, ...PlacedImage[]]> {
  const found: PlacedImage[] = [];
  const missing: DrayageError[] = [];
  for (const place of places) {
    try {
      for (const image of await place.resolve(reference, options)) found.push({ place, image });
    } catch (error) {
      if (!isDrayageError(error, 'NOT_FOUND')) throw error;
      missing.push(error);
    }
  }
  const [first, ...others] = found;
  if (first !== undefined) return [first, ...others];
  const candidates = [...new Set(missing.flatMap((error) => error.facts.candidates ?? []))];
  throw new DrayageError('NOT_FOUND', `no image ${JSON.stringify(reference)} in the layout`, {
    candidates,
    ...(candidates.length > 0 ? { hint: `it holds ${shellWords(candidates)}` } : { reason: 'NO_IMAGE' }),
  });
}
