import { REF_NAME } from '../oci/annotations.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { isDigest } from '../oci/digest.ts';

/**
 * How cosign, and registries without the referrers API, name what belongs to an image: `sha256-<hex>.sig`, `.att` and `.sbom`
 * (cosign, SIGNATURE_SPEC.md), and `sha256-<hex>` (OCI distribution-spec, referrers tag schema).
 */
const TAG = /(?:^|:)(sha256|sha512)-([0-9a-f]+)(\.sig|\.att|\.sbom)?$/;
/** What `cosign save` writes into a layout: an image, and beside it what belongs to it. */
const KIND = 'kind';
const KINDS: Readonly<Record<string, string>> = {
  'dev.cosignproject.cosign/sigs': '.sig',
  'dev.cosignproject.cosign/atts': '.att',
  'dev.cosignproject.cosign/sboms': '.sbom',
};
const IMAGE_KINDS = ['dev.cosignproject.cosign/image', 'dev.cosignproject.cosign/imageIndex'];

/** Whether an entry of index.json belongs to an image, by its name or its kind. Such an entry is not an image. */
export function isCosignEntry({ annotations = {} }: Descriptor): boolean {
  return tagOf(annotations[REF_NAME]) !== undefined || Object.hasOwn(KINDS, annotations[KIND] ?? '');
}

/** A document that belongs to other content, with the name that says so everywhere. */
interface CosignEntry {
  subject: Digest;
  referrer: Descriptor;
}

/**
 * Returns a function that finds the content to which an entry belongs; undefined if it belongs to none, or only lists
 * referrers that say so themselves.
 * @param entries all entries of index.json, which identify the image if the name does not
 */
export function cosignSubjects(
  entries: readonly Descriptor[],
): (entry: Descriptor) => CosignEntry | undefined {
  const images = entries.filter(({ annotations }) => IMAGE_KINDS.includes(annotations?.[KIND] ?? ''));
  const [only, ...others] = new Set(images.map(({ digest }) => digest));
  return (entry) => {
    const tag = tagOf(entry.annotations?.[REF_NAME]);
    if (tag !== undefined)
      return tag.suffix === undefined ? undefined : { subject: tag.subject, referrer: entry };
    const suffix = KINDS[entry.annotations?.[KIND] ?? ''];
    // With several images, nothing says which one is meant.
    if (suffix === undefined || only === undefined || others.length > 0) return undefined;
    const name = `${only.replace(':', '-')}${suffix}`;
    return { subject: only, referrer: { ...entry, annotations: { ...entry.annotations, [REF_NAME]: name } } };
  };
}

/** Annotations without what says that an entry belongs to an image. */
export function withoutCosign(annotations: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(annotations).filter(([key, value]) => !isOfCosign(key, value)));
}

function isOfCosign(key: string, value: string): boolean {
  return (key === KIND && Object.hasOwn(KINDS, value)) || (key === REF_NAME && tagOf(value) !== undefined);
}

function tagOf(name: string | undefined): { subject: Digest; suffix: string | undefined } | undefined {
  const [, algorithm, hex, suffix] = TAG.exec(name ?? '') ?? [];
  const subject = `${algorithm}:${hex}`;
  return isDigest(subject) ? { subject, suffix } : undefined;
}
