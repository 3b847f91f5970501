import { nameOf } from '../content/image-index.ts';
import type { ImagePlace, StoredImage } from '../content/image-index.ts';
import type { Authenticate, SignedFacts, Voucher } from '../content/policy.ts';
import type { ContentOptions } from '../content/source.ts';
import type { BuildType } from '../ci/build.ts';
import { DrayageError } from '../errors.ts';
import { walk } from '../image/contents.ts';
import { isUnreadable } from '../image/image.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { isIndexType } from '../oci/media-types.ts';
import { formatPlatform } from '../oci/platform.ts';
import type { ExpectedProvenance } from './expect.ts';
import { withBuildTypes } from './expect.ts';
import { partsOf } from './index-parts.ts';
import { assertOwnPlatforms } from './part-platforms.ts';
import type { Provenance } from './provenance.ts';
import { refusal, shortened } from './refusal.ts';
import { assertNames } from './signed-names.ts';
import { compareRuns } from '../ci/origin.ts';
import { signedFacts } from './signed-facts.ts';
import type { Trust } from './trust.ts';
import type { AcceptedSignature, Demand, Vetted } from './vet.ts';
import { vetSignatures } from './vet.ts';

/** Called with an image whose signature was accepted. */
export type OnAuthentic = (image: StoredImage, provenance: Provenance) => void;

/** An image that an index lists, and its signatures; none were read if it is absent. */
interface VettedPart {
  descriptor: Descriptor;
  vetted: Vetted | undefined;
}

/**
 * Makes the policy that accepts an image only with a trusted signature that meets the expectations and lists the
 * image's names. Of several signatures, one is enough. If none is accepted, the refusal names each with its reason.
 *
 * A signature of an index vouches for each image that it lists. An index without a signature passes if every image that
 * it lists is present and has one itself.
 */
export function signaturePolicy(
  trust: Trust,
  expected: ExpectedProvenance,
  onAuthentic?: OnAuthentic,
): Authenticate {
  const { buildTypes } = withBuildTypes(expected);
  const demand = { trust, expected };
  return async (image, place, options = {}) => {
    const own = await vetSignatures(image.root, place, demand, options);
    const parts = isIndexType(image.root.mediaType) ? await vetParts(image.root, place, demand, options) : [];
    const accepted = await vouching(image, place, demand, { own, parts }, options);
    const told = accepted.find(({ provenance }) => provenance.names !== null) ?? accepted[0];
    if (told !== undefined) onAuthentic?.(image, told.provenance);
    const facts = statedBy(accepted, parts, buildTypes);
    const all = [
      ...(told ? [told] : []),
      ...accepted,
      ...parts.flatMap(({ vetted }) => vetted?.accepted ?? []),
    ];
    return vouchersOf(all, facts);
  };
}

/**
 * What the signatures that vouch for an image state about it. If they are those of the parts of an index, its run is the
 * earliest of theirs: an old part beside a new one does not become new.
 */
function statedBy(
  accepted: readonly AcceptedSignature[],
  parts: readonly VettedPart[],
  buildTypes: readonly BuildType[],
): Map<AcceptedSignature, SignedFacts> {
  const facts = new Map(accepted.map((one) => [one, signedFacts(one.provenance, buildTypes)] as const));
  const byPart = parts.map(({ vetted }) => vetted?.accepted.flatMap((one) => facts.get(one) ?? []) ?? []);
  if (byPart.flat().length === 0) return facts;
  const [earliest] = byPart
    .flatMap((own) => own.toSorted(lastRunFirst).slice(0, 1))
    .toSorted(lastRunFirst)
    .toReversed();
  for (const [one, stated] of facts) facts.set(one, { ...stated, origin: earliest?.origin ?? {} });
  return facts;
}

function lastRunFirst(a: SignedFacts, b: SignedFacts): number {
  return compareRuns(b.origin, a.origin);
}

/** Each referrer once, in this order. A signature of a part that vouches for no more than the part states nothing here. */
function vouchersOf(
  all: readonly AcceptedSignature[],
  facts: ReadonlyMap<AcceptedSignature, SignedFacts>,
): Voucher[] {
  const vouchers = new Map<Digest, Voucher>();
  for (const one of all) {
    const { referrer } = one;
    const signed = facts.get(one) ?? vouchers.get(referrer.digest)?.signed;
    vouchers.set(referrer.digest, { ...referrer, signed });
  }
  return [...vouchers.values()];
}

/** The signatures that vouch for an image under its names: its own, those of all its parts, or those of an index that lists it. */
async function vouching(
  image: StoredImage,
  place: ImagePlace,
  demand: Demand,
  { own, parts }: { own: Vetted; parts: readonly VettedPart[] },
  options: ContentOptions,
): Promise<AcceptedSignature[]> {
  if (own.accepted.length > 0) {
    assertNames(image, own.accepted, demand.expected);
    return own.accepted;
  }
  const signed = parts.flatMap(({ vetted }) => (vetted?.accepted.length ? [vetted.accepted] : []));
  if (signed.length > 0 && signed.length === parts.length) {
    for (const accepted of signed) assertNames(image, accepted, demand.expected);
    await assertOwnPlatforms(image.root, place, options);
    return signed.flat();
  }
  const above = await vetHolder(image, place, demand, options);
  if (above !== undefined) {
    assertNames(image, above, demand.expected);
    return above;
  }
  throw rejected(image, own, parts);
}

/** Reads the signatures of the images that an index lists; of none if there are too many. */
async function vetParts(
  root: Descriptor,
  place: ImagePlace,
  demand: Demand,
  options: ContentOptions,
): Promise<VettedPart[]> {
  const parts: VettedPart[] = [];
  for (const { descriptor, isThere } of (await partsOf(root, place, options)) ?? []) {
    const vetted = isThere ? await vetSignatures(descriptor, place, demand, options) : undefined;
    parts.push({ descriptor, vetted });
  }
  return parts;
}

/** The accepted signatures of an index that lists an image which was chosen out of it by a digest. */
async function vetHolder(
  { root }: StoredImage,
  place: ImagePlace,
  demand: Demand,
  options: ContentOptions,
): Promise<AcceptedSignature[] | undefined> {
  for (const { root: index } of await place.images({ ...options, byContent: true })) {
    if (!isIndexType(index.mediaType) || index.digest === root.digest) continue;
    if (!(await lists(place, index, root, options))) continue;
    const { accepted } = await vetSignatures(index, place, demand, options);
    if (accepted.length > 0) return accepted;
  }
  return undefined;
}

/** Whether an index leads to an image. One that cannot be read leads to none. */
async function lists(
  place: ImagePlace,
  index: Descriptor,
  { digest }: Descriptor,
  options: ContentOptions,
): Promise<boolean> {
  try {
    for await (const node of walk(place, index, { ...options, onDamaged: () => {} }))
      if (node.kind === 'index' && node.document.value.manifests.some((child) => child.digest === digest))
        return true;
  } catch (error) {
    if (!isUnreadable(error)) throw error;
  }
  return false;
}

function rejected(image: StoredImage, own: Vetted, parts: readonly VettedPart[]): DrayageError {
  const name = nameOf(image);
  if (own.failures.length > 0) return noneAccepted(name, own);
  const lacking = parts.find(({ vetted }) => !vetted?.accepted.length);
  const isPartlySigned = parts.some(({ vetted }) => vetted?.accepted.length || vetted?.failures.length);
  if (lacking === undefined || !isPartlySigned) return unsigned(name, image.root);
  const { platform, digest } = lacking.descriptor;
  const part = `${name} for ${platform === undefined ? digest : formatPlatform(platform)}`;
  return lacking.vetted?.failures.length
    ? noneAccepted(part, lacking.vetted)
    : unsigned(part, lacking.descriptor);
}

function unsigned(name: string, { digest }: Descriptor): DrayageError {
  return refusal('UNSIGNED', `${name} has no signature`, {
    digest,
    hint: 'sign it in the job that builds it; copies must include the referrers',
  });
}

/** A signature about something else, such as an SBOM, explains the least. */
function noneAccepted(name: string, { failures, unread }: Vetted): DrayageError {
  const messages = [...new Set(failures.map(({ message }) => message))].join('; ');
  const verdict =
    failures.length > 1
      ? `none of its ${failures.length} signatures is accepted`
      : 'its signature is not accepted';
  const message = `${name}: ${verdict}: ${messages}`;
  if (unread > 0) {
    const left = `${unread} more were not checked`;
    return refusal('REFERRER_COUNT', `${shortened(message, 350)}; ${left}`, {
      hint: 'sign it again: the newest signatures are checked first',
    });
  }
  const telling = failures.find(({ facts }) => facts.reason !== 'PREDICATE_TYPE') ?? failures[0];
  return new DrayageError('POLICY', shortened(message), telling?.facts);
}
