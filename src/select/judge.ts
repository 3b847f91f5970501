import type { ImagePlace, PlacedImage, StoredImage } from '../content/image-index.ts';
import type { Voucher } from '../content/policy.ts';
import { originOf, withoutRun, withSignedOrigin } from '../ci/origin.ts';
import type { DrayageError } from '../errors.ts';
import { isDrayageError } from '../errors.ts';
import { readImage } from '../image/image.ts';
import { readReference } from '../image/reference.ts';
import { configPlatform } from '../oci/config.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { isManifestType } from '../oci/media-types.ts';
import { factsOf } from './facts.ts';
import { placeOf } from './by-name.ts';
import type { VouchedImage } from './by-name.ts';
import type { Selection } from './selection.ts';

/** An image with what is signed about it in place of what its place states. */
export interface JudgedImage extends VouchedImage {
  /** Why its signature is not accepted. It counts only if the image is chosen. */
  refusal?: DrayageError;
}

/**
 * Checks the signature of each image, before any is chosen: the signed origin and the config's platform take the place of
 * annotations and of the index's platform, which whoever writes to a place can change. Without a required signature,
 * the images are as they are. If the run of one image is signed, annotations give none to others, so that they replace
 * no image. Copies of one image share their referrers; the names of each are checked separately.
 */
export async function judge(
  found: readonly PlacedImage[],
  { authenticate, policy, signal }: Pick<Selection, 'authenticate' | 'policy' | 'signal'>,
): Promise<JudgedImage[]> {
  if (authenticate === undefined) return [...found];
  const judged: JudgedImage[] = [];
  const signedRuns = new Set<JudgedImage>();
  const placeFor = placesByDigest(found);
  const known = new Map<string, Promise<readonly Voucher[]>>();
  /** Copies of one image under the same names have the same signatures. */
  const vouchersFor = async (image: StoredImage): Promise<readonly Voucher[]> => {
    const key = JSON.stringify([image.root.digest, image.names]);
    const vouchers = known.get(key) ?? authenticate(image, placeFor(image), { signal });
    known.set(key, vouchers);
    return vouchers;
  };
  for (const one of found) {
    const { image } = one;
    try {
      const vouchers = await vouchersFor(image);
      const root = await rootOf({ place: placeFor(image), image }, { signal });
      const origin = factsOf(image, vouchers, policy)?.origin;
      const annotations = withSignedOrigin(image.annotations, origin);
      const accepted = { ...one, image: { ...image, root, annotations }, vouchers };
      judged.push(accepted);
      if (isRun(origin)) signedRuns.add(accepted);
    } catch (error) {
      if (!isDrayageError(error)) throw error;
      // A name that nobody signed leaves the signed origin as it is.
      const vouchers = error.facts.reason === 'NAME' ? await vouchersFor({ ...image, names: [] }) : [];
      const annotations = withSignedOrigin(image.annotations, factsOf(image, vouchers, policy)?.origin);
      judged.push({ ...one, image: { ...image, annotations }, refusal: error });
    }
  }
  if (signedRuns.size === 0) return judged;
  return judged.map((one) => (signedRuns.has(one) || one.refusal !== undefined ? one : withoutRunOf(one)));
}

/** Returns a function that finds the places of an image: all that hold a copy, as one. */
function placesByDigest(found: readonly PlacedImage[]): (image: StoredImage) => ImagePlace {
  const copies = new Map<Digest, PlacedImage[]>();
  for (const one of found) {
    const { digest } = one.image.root;
    const same = copies.get(digest);
    if (same === undefined) copies.set(digest, [one]);
    else same.push(one);
  }
  const places = new Map([...copies].map(([digest, same]) => [digest, placeOf(same)]));
  return ({ root }) => places.get(root.digest) ?? placeOf([]);
}

/** Whether a signed origin states a run of a job. */
export function isRun(origin: Readonly<Record<string, string>> = {}): boolean {
  return originOf(origin).jobId !== undefined;
}

function withoutRunOf(one: JudgedImage): JudgedImage {
  return { ...one, image: { ...one.image, annotations: withoutRun(one.image.annotations) } };
}

/** The root with the platform that its config states. Each image below an index states its own. */
async function rootOf(
  { place, image: { root } }: PlacedImage,
  options: Pick<Selection, 'signal'>,
): Promise<Descriptor> {
  const { platform, ...bare } = root;
  if (platform === undefined) return root;
  if (!isManifestType(root.mediaType)) return bare;
  const reference = await readReference(place, bare, options);
  if (reference !== undefined) return { ...bare, platform: reference.platform };
  const { config } = await readImage(place, bare, options);
  return { ...bare, platform: configPlatform(config.value) };
}
