import { Readable } from 'node:stream';
import type { ImagePlace, PlacedImage } from '../content/image-index.ts';
import { overlay } from '../content/overlay.ts';
import type { ContentOptions } from '../content/source.ts';
import { OMITTED_LAYERS } from '../image/annotations.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { Document } from '../oci/manifest.ts';
import { combineImages } from './combine.ts';
import { joinPlaces } from './places.ts';

/** An image, and what vouches for it where somebody asked. */
export interface VouchedImage extends PlacedImage {
  vouchers?: readonly Descriptor[];
}

/** An image that several places hold is one image, with the names of all; a place that holds all of it says the rest. */
export function mergeByRoot(found: readonly VouchedImage[]): VouchedImage[] {
  const byRoot = new Map<Digest, [VouchedImage, ...VouchedImage[]]>();
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
    const image = { ...best.image, names, foundAs };
    return { place: placeOf([best, ...same]), image, vouchers: vouchersOf(same) };
  });
}

/** Images that share a name become one, in the place of the first of them; each keeps the names that it has alone. */
export async function combineByName(
  found: readonly VouchedImage[],
  options: ContentOptions,
): Promise<VouchedImage[]> {
  const shared = sharedNames(found);
  const result: VouchedImage[] = [];
  for (const placed of found) {
    for (const { names, parts } of shared) {
      if (parts[0] === placed) result.push(await combined(names, parts, options));
    }
    const { image } = placed;
    const names = image.names.filter((name) => !shared.some((one) => one.names.includes(name)));
    if (names.length > 0 || image.names.length === 0) result.push({ ...placed, image: { ...image, names } });
  }
  return mergeByRoot(result);
}

/** The names that several images have, those of the same images together. */
function sharedNames(found: readonly VouchedImage[]): { names: string[]; parts: VouchedImage[] }[] {
  const shared = new Map<string, { names: string[]; parts: VouchedImage[] }>();
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
  parts: readonly VouchedImage[],
  options: ContentOptions,
): Promise<VouchedImage> {
  const { root, document, annotations } = await combineImages(
    names.join(', '),
    parts.map(({ place: source, image }) => ({ source, image })),
    options,
  );
  const place = placeOf(parts);
  return {
    place: document === undefined ? place : withDocument(place, document),
    image: { root, names, annotations },
    vouchers: vouchersOf(parts),
  };
}

/** What vouches for any of these; undefined where nobody asked. */
function vouchersOf(found: readonly VouchedImage[]): readonly Descriptor[] | undefined {
  const lists = found.flatMap(({ vouchers }) => (vouchers === undefined ? [] : [vouchers]));
  return lists.length === 0 ? undefined : lists.flat();
}

/** The place that holds images, or all those that do as one. */
function placeOf(found: readonly VouchedImage[]): ImagePlace {
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
