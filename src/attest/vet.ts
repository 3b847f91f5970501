import type { ImagePlace } from '../content/image-index.ts';
import type { ContentOptions, ContentSource } from '../content/source.ts';
import type { DrayageError } from '../errors.ts';
import { isAbsentOrDamaged, isDrayageError } from '../errors.ts';
import { CREATED } from '../oci/annotations.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { parseManifest } from '../oci/manifest.ts';
import { isManifestType } from '../oci/media-types.ts';
import { readDocument } from '../stream/document.ts';
import type { ExpectedProvenance } from './expect.ts';
import { isBundleType } from './media-types.ts';
import type { Provenance } from './provenance.ts';
import { refusal } from './refusal.ts';
import { MAX_BUNDLE_SIZE } from './shape.ts';
import type { Trust } from './trust.ts';
import { verifyBundle } from './verify-bundle.ts';

/** The maximum number of different signatures that are checked for one content. */
const MAX_SIGNATURES = 16;

/** The requirements on signatures. */
export interface Demand {
  trust: Trust;
  expected: ExpectedProvenance;
}

/** An accepted signature. */
export interface AcceptedSignature {
  /** The referrer that contains it. */
  referrer: Descriptor;
  provenance: Provenance;
}

/** Result of checking the signatures of one content. */
export interface Vetted {
  accepted: AcceptedSignature[];
  /** Why the other checked ones are not accepted. */
  failures: DrayageError[];
  /** How many were not checked. */
  unread: number;
}

/**
 * Checks the signatures of content: the newest first, by their claimed date, and then by digest. Each bundle is checked
 * once, however many referrers contain it, and their number is limited. Whoever can write to the place can put others
 * before them.
 */
export async function vetSignatures(
  subject: Descriptor,
  place: ImagePlace,
  demand: Demand,
  options: ContentOptions,
): Promise<Vetted> {
  const referrers = await place.referrers(subject, options);
  const bundles = referrers.filter(({ artifactType }) => isBundleType(artifactType)).toSorted(newestFirst);
  const result: Vetted = { accepted: [], failures: [], unread: 0 };
  const seen = new Set<Digest>();
  for (const [i, referrer] of bundles.entries()) {
    if (result.accepted.length + result.failures.length === MAX_SIGNATURES)
      return { ...result, unread: bundles.length - i };
    try {
      const bundle = await describeBundle(place, referrer, subject, options);
      if (seen.has(bundle.digest)) continue;
      seen.add(bundle.digest);
      const bytes = await readBundle(place, bundle, options);
      const provenance = verifyBundle(bytes, subject.digest, demand.trust, demand.expected);
      result.accepted.push({ referrer, provenance });
    } catch (error) {
      if (!isDrayageError(error, 'POLICY')) throw error;
      result.failures.push(error);
    }
  }
  return result;
}

/** Our dates have one form, RFC 3339 in UTC; a signature without a date comes last. */
function newestFirst(a: Descriptor, b: Descriptor): number {
  const first = a.annotations?.[CREATED] ?? '';
  const second = b.annotations?.[CREATED] ?? '';
  if (first !== second) return first > second ? -1 : 1;
  return a.digest < b.digest ? -1 : 1;
}

/** Finds the bundle in a referrer. */
async function describeBundle(
  place: ContentSource,
  referrer: Descriptor,
  subject: Descriptor,
  options: ContentOptions,
): Promise<Descriptor> {
  return undamaged(async () => {
    if (!isManifestType(referrer.mediaType))
      throw refusal('REFERRER_DAMAGED', 'the signature is not a manifest');
    const bytes = await readDocument(await place.open(referrer, options), referrer);
    const manifest = parseManifest(bytes, `manifest ${referrer.digest}`);
    const [layer, ...others] = manifest.layers;
    const isOurs = manifest.subject?.digest === subject.digest && manifest.subject.size === subject.size;
    if (layer !== undefined && others.length === 0 && isOurs) return layer;
    throw refusal('REFERRER_DAMAGED', `the signature ${referrer.digest} is not one bundle of this image`);
  });
}

/** Reads a bundle. Checks its size and digest before parsing it. */
async function readBundle(
  place: ContentSource,
  bundle: Descriptor,
  options: ContentOptions,
): Promise<Buffer> {
  if (bundle.size > MAX_BUNDLE_SIZE) {
    const message = `the bundle has ${bundle.size} bytes, over the limit of ${MAX_BUNDLE_SIZE}`;
    throw refusal('BUNDLE_SIZE', message);
  }
  return undamaged(async () => readDocument(await place.open(bundle, options), bundle, MAX_BUNDLE_SIZE));
}

async function undamaged<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!isAbsentOrDamaged(error) && !isDrayageError(error, 'LIMIT')) throw error;
    throw refusal('REFERRER_DAMAGED', `a signature is damaged: ${error.message}`, {
      ...error.facts,
      cause: error,
    });
  }
}
