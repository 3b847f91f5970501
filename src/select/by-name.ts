import type { ImagePlace, PlacedImage } from '../content/image-index.ts';
import { overlay, withDocuments } from '../content/overlay.ts';
import type { Voucher } from '../content/policy.ts';
import type { ContentOptions } from '../content/source.ts';
import { statedOmission } from '../image/omitted-layers.ts';
import type { Digest } from '../oci/digest.ts';
import { combineImages } from './combine.ts';
import { joinPlaces, referrersAcross } from './places.ts';

/** An image, and the referrers that vouch for it if signatures were checked. */
export interface VouchedImage extends PlacedImage {
  vouchers?: readonly Voucher[];
}

/**
 * An image that several places hold is one image with all of its names. Its other facts come from a place that holds
 * all of it.
 */
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
    const best = same.find(({ image }) => statedOmission(image.annotations) === undefined) ?? same[0];
    const words = [...new Set(same.flatMap(({ image }) => image.foundAs ?? []))];
    const image = { ...best.image, names, foundAs: words.length > 0 ? words : undefined };
    return { place: placeOf([best, ...same]), image, vouchers: vouchersOf(same) };
  });
}

/** Images that share a name become one, at the position of the first; each keeps the names that only it has. */
export async function combineByName(
  found: readonly VouchedImage[],
  options: ContentOptions,
): Promise<VouchedImage[]> {
  const shared = sharedNames(found);
  const taken = new Set(shared.flatMap(({ names }) => names));
  const byFirst = new Map<VouchedImage | undefined, typeof shared>();
  for (const group of shared) {
    const groups = byFirst.get(group.parts[0]);
    if (groups === undefined) byFirst.set(group.parts[0], [group]);
    else groups.push(group);
  }
  const result: VouchedImage[] = [];
  for (const placed of found) {
    for (const { names, parts } of byFirst.get(placed) ?? []) {
      result.push(await combined(names, parts, options));
    }
    const { image } = placed;
    const names = image.names.filter((name) => !taken.has(name));
    if (names.length > 0 || image.names.length === 0) result.push({ ...placed, image: { ...image, names } });
  }
  return mergeByRoot(result);
}

/** The names that several images have, grouped by their images. */
function sharedNames(found: readonly VouchedImage[]): { names: string[]; parts: VouchedImage[] }[] {
  const byName = new Map<string, VouchedImage[]>();
  for (const one of found) {
    for (const name of one.image.names) {
      const parts = byName.get(name);
      if (parts === undefined) byName.set(name, [one]);
      else parts.push(one);
    }
  }
  const shared = new Map<string, { names: string[]; parts: VouchedImage[] }>();
  for (const [name, parts] of byName) {
    if (parts.length === 1) continue;
    const key = parts.map(({ image }) => image.root.digest).join(' ');
    const known = shared.get(key);
    if (known === undefined) shared.set(key, { parts, names: [name] });
    else known.names.push(name);
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
    place: document === undefined ? place : overlay(place, withDocuments(place, [document])),
    image: { root, names, annotations },
    vouchers: vouchersOf(parts),
  };
}

/** The vouchers of any of these; undefined if signatures were not checked. */
function vouchersOf(found: readonly VouchedImage[]): readonly Voucher[] | undefined {
  const lists = found.flatMap(({ vouchers }) => (vouchers === undefined ? [] : [vouchers]));
  return lists.length === 0 ? undefined : lists.flat();
}

/** The place of the images; if there are several, all of them as one place. */
export function placeOf(found: readonly PlacedImage[]): ImagePlace {
  const all = [...new Set(found.map(({ place }) => place))];
  const [only, ...others] = all;
  return only !== undefined && others.length === 0 ? only : overlay(joinPlaces(all), referrersAcross(all));
}
