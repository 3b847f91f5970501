import type { Authenticate, ContentOptions, ContentSource, ImageIndex, StoredImage } from '../content.ts';
import { DrayageError, isDrayageError } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { parseManifest } from '../oci/manifest.ts';
import { isManifestType } from '../oci/media-types.ts';
import { readDocument } from '../stream/document.ts';
import type { ExpectedProvenance } from './expect.ts';
import { isBundleType } from './media-types.ts';
import type { Provenance } from './provenance.ts';
import { refusal, shortened } from './refusal.ts';
import { MAX_BUNDLE_SIZE } from './shape.ts';
import type { Trust } from './trust.ts';
import { verifyBundle } from './verify-bundle.ts';

/** How many signatures of one image are looked at. */
const MAX_REFERRERS = 16;

/** What may be wrong with a signature's own content: the image by itself is none the worse, but this one proves nothing. */
const DAMAGE = ['NOT_FOUND', 'DIGEST_MISMATCH', 'SIZE_MISMATCH', 'MALFORMED', 'LIMIT', 'TRUNCATED'] as const;

/** What is told of an image whose signature was accepted. */
export type OnAuthentic = (image: StoredImage, provenance: Provenance) => void;

/**
 * Makes the policy that lets an image pass only with a signature that is trusted and says what is expected. Of several any one
 * will do; where none does, the refusal names each with its reason.
 */
export function signaturePolicy(
  trust: Trust,
  expected: ExpectedProvenance,
  onAuthentic?: OnAuthentic,
): Authenticate {
  return async (image, place, options = {}) => {
    const provenance = await authenticate(image, place, trust, expected, options);
    onAuthentic?.(image, provenance);
  };
}

async function authenticate(
  image: StoredImage,
  place: ContentSource & ImageIndex,
  trust: Trust,
  expected: ExpectedProvenance,
  options: ContentOptions,
): Promise<Provenance> {
  const name = image.names[0] ?? image.root.digest;
  const referrers = await place.referrers(image.root, options);
  const bundles = referrers.filter(({ artifactType }) => isBundleType(artifactType));
  if (bundles.length === 0) {
    throw refusal('UNSIGNED', `${name} carries no signature`, {
      digest: image.root.digest,
      hint: 'sign it in the job that builds it: drayage save --sign, or drayage sign; copies have to bring their referrers along',
    });
  }
  if (bundles.length > MAX_REFERRERS) {
    throw refusal(
      'REFERRER_COUNT',
      `${name} carries ${bundles.length} signatures, over the limit of ${MAX_REFERRERS}`,
    );
  }
  const failures: DrayageError[] = [];
  for (const referrer of bundles) {
    try {
      const bytes = await readBundle(place, referrer, image.root, options);
      return verifyBundle(bytes, image.root.digest, trust, expected);
    } catch (error) {
      if (!isDrayageError(error, 'POLICY')) throw error;
      failures.push(error);
    }
  }
  throw rejected(name, failures);
}

/** Reads the bundle that a referrer holds; its size and digest are checked before anything is made of it. */
async function readBundle(
  place: ContentSource,
  referrer: Descriptor,
  subject: Descriptor,
  options: ContentOptions,
): Promise<Buffer> {
  try {
    if (!isManifestType(referrer.mediaType))
      throw refusal('REFERRER_DAMAGED', 'the signature is no manifest');
    const bytes = await readDocument(await place.open(referrer, options), referrer);
    const manifest = parseManifest(bytes, `manifest ${referrer.digest}`);
    const [layer, ...others] = manifest.layers;
    const isOurs = manifest.subject?.digest === subject.digest && manifest.subject.size === subject.size;
    if (layer === undefined || others.length > 0 || !isOurs) {
      throw refusal('REFERRER_DAMAGED', `the signature ${referrer.digest} is not one bundle of this image`);
    }
    if (layer.size > MAX_BUNDLE_SIZE) {
      throw refusal(
        'BUNDLE_SIZE',
        `the bundle has ${layer.size} bytes, over the limit of ${MAX_BUNDLE_SIZE}`,
      );
    }
    return await readDocument(await place.open(layer, options), layer, MAX_BUNDLE_SIZE);
  } catch (error) {
    if (!isDrayageError(error, ...DAMAGE)) throw error;
    throw refusal('REFERRER_DAMAGED', `a signature is damaged: ${error.message}`, {
      ...error.facts,
      cause: error,
    });
  }
}

/** A signature about something else, such as an SBOM, is the least telling. */
function rejected(name: string, failures: readonly DrayageError[]): DrayageError {
  const telling = failures.find(({ facts }) => facts.reason !== 'PREDICATE_TYPE') ?? failures[0];
  const messages = [...new Set(failures.map(({ message }) => message))].join('; ');
  const count = failures.length > 1 ? `none of its ${failures.length} signatures` : 'its signature';
  const message = `${name}: ${count} is accepted: ${messages}`;
  return new DrayageError('POLICY', shortened(message), telling?.facts);
}
