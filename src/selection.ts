import type {
  Authenticate,
  ContentOptions,
  ContentSource,
  ImageIndex,
  ImagePolicy,
  StoredImage,
} from './content.ts';
import { chainSources } from './content.ts';
import { DrayageError, isDrayageError } from './errors.ts';

/** A place that holds images and their content: a layout. */
export type ImagePlace = ContentSource & ImageIndex;

/** An image and the place that holds it. */
export interface PlacedImage {
  place: ImagePlace;
  image: StoredImage;
}

/** Options of {@link selectImages}. */
export interface SelectOptions extends ContentOptions {
  /** Which of the images may be used; default: all. */
  policy?: ImagePolicy | undefined;
  /** Asks who made each image that is chosen, all of them before any is used. Default: nobody asks. */
  authenticate?: Authenticate | undefined;
  /** Hears why an image is left out, in one line. */
  onNote?: ((message: string) => void) | undefined;
}

/**
 * Chooses images among several places.
 * @param references names or digests; none means all images of all places
 * @throws {@link DrayageError} `NOT_FOUND` where no place has one, or there is none at all; `POLICY` where none of those that
 * a reference finds, or of all, may be used, or one is not shown to be whose it has to be; `AMBIGUOUS` where one name means different images in different places
 */
export async function selectImages(
  places: readonly ImagePlace[],
  references: readonly string[] = [],
  options: SelectOptions = {},
): Promise<PlacedImage[]> {
  const lists =
    references.length === 0
      ? [await allImages(places)]
      : await Promise.all(references.map((reference) => everywhere(places, reference)));
  const found = lists.flatMap((list) => permitted(list, options));
  if (found.length === 0) {
    throw new DrayageError('NOT_FOUND', 'the layout holds no image', { hint: 'save an image into it first' });
  }
  assertNamesAgree(found);
  const chosen = merged(found);
  const { authenticate, signal } = options;
  for (const { image, place } of chosen) await authenticate?.(image, place, { signal });
  return chosen;
}

function permitted(found: readonly PlacedImage[], { policy, onNote }: SelectOptions): readonly PlacedImage[] {
  if (policy === undefined) return found;
  const chosen = new Set(
    policy.choose(
      found.map(({ image }) => image),
      onNote ?? (() => {}),
    ),
  );
  return found.filter(({ image }) => chosen.has(image));
}

/** An image that several places hold is one image, with the names of all; the first place says the rest. */
function merged(found: readonly PlacedImage[]): PlacedImage[] {
  const byRoot = new Map<string, PlacedImage>();
  for (const { place, image } of found) {
    const known = byRoot.get(image.root.digest) ?? { place, image: { ...image, names: [] } };
    const names = [...new Set([...known.image.names, ...image.names])];
    byRoot.set(image.root.digest, { place: known.place, image: { ...known.image, names } });
  }
  return [...byRoot.values()];
}

async function allImages(places: readonly ImagePlace[]): Promise<PlacedImage[]> {
  const lists = await Promise.all(places.map(async (place) => ({ place, images: await place.images() })));
  return lists.flatMap(({ place, images }) => images.map((image) => ({ place, image })));
}

async function everywhere(
  places: readonly ImagePlace[],
  reference: string,
): Promise<[PlacedImage, ...PlacedImage[]]> {
  const found: PlacedImage[] = [];
  const missing: DrayageError[] = [];
  for (const place of places) {
    try {
      found.push({ place, image: await place.resolve(reference) });
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
    hint: candidates.length > 0 ? `it holds ${candidates.join(', ')}` : 'drayage inspect lists what it holds',
  });
}

function assertNamesAgree(found: readonly PlacedImage[]): void {
  const roots = new Map<string, string>();
  for (const { image } of found) {
    for (const name of image.names) {
      const other = roots.get(name) ?? image.root.digest;
      if (other !== image.root.digest) {
        throw new DrayageError('AMBIGUOUS', `${name} means two images: ${other} and ${image.root.digest}`, {
          hint: 'choose the layout, or the image by its digest',
          candidates: [other, image.root.digest],
        });
      }
      roots.set(name, other);
    }
  }
}

/** Several places as one: all their images, and content from whichever has it. */
export function joinPlaces(places: readonly ImagePlace[]): ImagePlace {
  return {
    ...chainSources(places),
    images: async () => (await Promise.all(places.map((place) => place.images()))).flat(),
    resolve: async (reference) => {
      const [first, ...others] = await everywhere(places, reference);
      assertNamesAgree([first, ...others]);
      return first.image;
    },
    referrers: async (descriptor) => {
      const lists = await Promise.all(places.map((place) => place.referrers(descriptor)));
      return [...new Map(lists.flat().map((referrer) => [referrer.digest, referrer])).values()];
    },
  };
}
