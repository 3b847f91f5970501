import { Readable } from 'node:stream';
import { combineImages } from './combine.ts';
import type { ImagePlace, PlacedImage, StoredImage } from '../content/image-index.ts';
import { overlay } from '../content/overlay.ts';
import type { Authenticate, ImagePolicy } from '../content/policy.ts';
import type { ContentOptions } from '../content/source.ts';
import { chainSources } from '../content/source.ts';
import { DrayageError, isDrayageError } from '../errors.ts';
import { OMITTED_LAYERS } from '../image/annotations.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { Document } from '../oci/manifest.ts';
import type { Platform } from '../oci/platform.ts';
import { twoImages } from '../oci/platform-index.ts';
import { isReference, normalizeName, parseReference } from '../oci/reference.ts';

/** An image that was chosen. */
export interface SelectedImage extends PlacedImage {
  /** The referrers that vouch for it, where somebody asked who made it. */
  vouchers?: readonly Descriptor[] | undefined;
}

/** As of {@link ImageIndex.resolve}. */
type ResolveOptions = ContentOptions & { platform?: Platform };

/** How images are chosen among several places. */
export interface SelectOptions extends ContentOptions {
  /** Which of the images may be used; default: all. */
  policy?: ImagePolicy | undefined;
  /** Asks who made each image that is chosen, all of them before any is used. Default: nobody asks. */
  authenticate?: Authenticate | undefined;
  /** Hears why an image is left out, in one line. */
  onNote?: ((message: string) => void) | undefined;
}

/**
 * Chooses images among several places. Images of several platforms under one name become one multi-platform image, whose
 * index need not be in any place.
 * @param references names or digests; none means all images of all places
 * @throws {@link DrayageError} `NOT_FOUND` where no place has one, or there is none at all; `POLICY` where none of those that
 * a reference finds, or of all, may be used, or one is not shown to be whose it has to be; `AMBIGUOUS` where one name means
 * different images for one platform
 */
export async function selectImages(
  places: readonly ImagePlace[],
  references: readonly string[] = [],
  options: SelectOptions = {},
): Promise<SelectedImage[]> {
  const { authenticate, signal } = options;
  const found: SelectedImage[] = [];
  // Each by itself, before any is used: what they become together is signed by nobody.
  for (const placed of await findImages(places, references, options)) {
    found.push({ ...placed, vouchers: await authenticate?.(placed.image, placed.place, { signal }) });
  }
  return oneForEachName(found, options);
}

/**
 * Finds images among several places, each once, as they are there: one name may stand for several.
 * @throws {@link DrayageError} `NOT_FOUND`, `POLICY`, as {@link selectImages}
 */
export async function findImages(
  places: readonly ImagePlace[],
  references: readonly string[] = [],
  options: SelectOptions = {},
): Promise<SelectedImage[]> {
  const lists =
    references.length === 0
      ? [await allImages(places)]
      : await Promise.all(references.map((reference) => everywhere(places, reference)));
  const found = lists.flatMap((list) => permitted(list, options));
  if (found.length === 0) {
    throw new DrayageError('NOT_FOUND', 'the layout holds no image', { hint: 'save an image into it first' });
  }
  return merged(found);
}

function permitted(
  found: readonly SelectedImage[],
  { policy, onNote }: SelectOptions,
): readonly SelectedImage[] {
  if (policy === undefined) return found;
  const chosen = new Set(
    policy.choose(
      found.map(({ image }) => image),
      onNote ?? (() => {}),
    ),
  );
  return found.filter(({ image }) => chosen.has(image));
}

/** An image that several places hold is one image, with the names of all; a place that holds all of it says the rest. */
function merged(found: readonly SelectedImage[]): SelectedImage[] {
  const byRoot = new Map<Digest, [SelectedImage, ...SelectedImage[]]>();
  for (const one of found) {
    const { digest } = one.image.root;
    const same = byRoot.get(digest);
    if (same === undefined) byRoot.set(digest, [one]);
    else same.push(one);
  }
  return [...byRoot.values()].map((same) => {
    const names = [...new Set(same.flatMap(({ image }) => image.names))];
    const best = same.find(({ image }) => !(OMITTED_LAYERS in image.annotations)) ?? same[0];
    const { foundAs } = same.find(({ image }) => image.foundAs !== undefined)?.image ?? {};
    const image = { ...best.image, names, ...(foundAs !== undefined && { foundAs }) };
    return { place: placeOf([best, ...same]), image, vouchers: vouchersOf(same) };
  });
}

/** Images that share a name become one, in the place of the first of them; each keeps the names that it has alone. */
async function oneForEachName(
  found: readonly SelectedImage[],
  options: SelectOptions,
): Promise<SelectedImage[]> {
  const shared = sharedNames(found);
  const result: SelectedImage[] = [];
  for (const placed of found) {
    for (const { names, parts } of shared) {
      if (parts[0] === placed) result.push(await combined(names, parts, options));
    }
    const { image } = placed;
    const names = image.names.filter((name) => !shared.some((one) => one.names.includes(name)));
    if (names.length > 0 || image.names.length === 0) result.push({ ...placed, image: { ...image, names } });
  }
  return merged(result);
}

/** The names that several images have, those of the same images together. */
function sharedNames(found: readonly SelectedImage[]): { names: string[]; parts: SelectedImage[] }[] {
  const shared = new Map<string, { names: string[]; parts: SelectedImage[] }>();
  for (const name of new Set(found.flatMap(({ image }) => image.names))) {
    const parts = found.filter(({ image }) => image.names.includes(name));
    if (parts.length === 1) continue;
    const key = parts.map(({ image }) => image.root.digest).join(' ');
    shared.set(key, { parts, names: [...(shared.get(key)?.names ?? []), name] });
  }
  return [...shared.values()];
}

async function combined(
  names: string[],
  parts: readonly SelectedImage[],
  { policy, signal }: SelectOptions,
): Promise<SelectedImage> {
  const { root, document, annotations } = await combineImages(
    names.join(', '),
    parts.map(({ place: source, image }) => ({ source, image })),
    { signal, check: (image, config) => policy?.check(image, config) },
  );
  const place = placeOf(parts);
  return {
    place: document === undefined ? place : withDocument(place, document),
    image: { root, names, annotations },
    vouchers: vouchersOf(parts),
  };
}

/** What vouches for any of these; undefined where nobody asked. */
function vouchersOf(found: readonly SelectedImage[]): readonly Descriptor[] | undefined {
  const lists = found.flatMap(({ vouchers }) => (vouchers === undefined ? [] : [vouchers]));
  return lists.length === 0 ? undefined : lists.flat();
}

/** The place that holds images, or all those that do as one. */
function placeOf(found: readonly SelectedImage[]): ImagePlace {
  const all = [...new Set(found.map(({ place }) => place))];
  const [only, ...others] = all;
  return only !== undefined && others.length === 0 ? only : joinPlaces(all);
}

/** A place that has one more document. */
function withDocument(place: ImagePlace, { descriptor, bytes }: Document): ImagePlace {
  const isIt = ({ digest, size }: Descriptor): boolean =>
    digest === descriptor.digest && size === descriptor.size;
  return overlay(place, {
    has: async (wanted, options) => isIt(wanted) || place.has(wanted, options),
    open: async (wanted, options) =>
      isIt(wanted)
        ? Readable.from([bytes.subarray(options?.offset ?? 0)], { objectMode: false })
        : place.open(wanted, options),
  });
}

async function allImages(places: readonly ImagePlace[]): Promise<SelectedImage[]> {
  const lists = await Promise.all(places.map(async (place) => ({ place, images: await place.images() })));
  return lists.flatMap(({ place, images }) => images.map((image) => ({ place, image })));
}

async function everywhere(
  places: readonly ImagePlace[],
  reference: string,
  options: ResolveOptions = {},
): Promise<[SelectedImage, ...SelectedImage[]]> {
  const found: SelectedImage[] = [];
  const missing: DrayageError[] = [];
  for (const place of places) {
    try {
      for (const image of await allOf(place, reference, options)) found.push({ place, image });
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

/** What a place has under a name: one image, or those of several platforms; by anything else it finds one. */
async function allOf(
  place: ImagePlace,
  reference: string,
  options: ResolveOptions,
): Promise<readonly StoredImage[]> {
  const isName = isReference(reference) && parseReference(reference).digest === undefined;
  const name = isName ? normalizeName(reference) : undefined;
  const named =
    name === undefined || options.platform !== undefined
      ? []
      : (await place.images(options)).filter((image) => image.names.includes(name));
  return named.length > 1 ? named : [await place.resolve(reference, options)];
}

/** Several places as one: all their images, and content from whichever has it. */
export function joinPlaces(places: readonly ImagePlace[]): ImagePlace {
  return {
    ...chainSources(places),
    images: async (options) => (await Promise.all(places.map((place) => place.images(options)))).flat(),
    resolve: async (reference, options) => {
      const [first, ...rest] = await everywhere(places, reference, options);
      const other = rest.find(({ image }) => image.root.digest !== first.image.root.digest);
      if (other === undefined) return first.image;
      throw twoImages(reference, undefined, [first.image.root.digest, other.image.root.digest]);
    },
    referrers: async (descriptor, options) => {
      const lists = await Promise.all(places.map((place) => place.referrers(descriptor, options)));
      return [...new Map(lists.flat().map((referrer) => [referrer.digest, referrer])).values()];
    },
  };
}
