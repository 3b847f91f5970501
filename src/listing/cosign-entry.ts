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

/** Whether an entry of index.json belongs to an image, by its name or its kind: then it is no image. */
export function isCosignEntry({ annotations = {} }: Descriptor): boolean {
  return tagOf(annotations[REF_NAME]) !== undefined || Object.hasOwn(KINDS, annotations[KIND] ?? '');
}

/**
 * An entry that belongs to this content, with the name that says so wherever it goes; undefined where it belongs to other
 * content, or is only a list of what refers to it by itself.
 */
export function cosignEntryOf(
  subject: Digest,
  entry: Descriptor,
  entries: readonly Descriptor[],
): Descriptor | undefined {
  const tag = tagOf(entry.annotations?.[REF_NAME]);
  if (tag !== undefined) return tag.subject === subject && tag.suffix !== undefined ? entry : undefined;
  const suffix = KINDS[entry.annotations?.[KIND] ?? ''];
  if (suffix === undefined) return undefined;
  const images = entries.filter(({ annotations }) => IMAGE_KINDS.includes(annotations?.[KIND] ?? ''));
  const digests = new Set(images.map(({ digest }) => digest));
  // Of several images nobody says which one is meant.
  if (digests.size !== 1 || !digests.has(subject)) return undefined;
  const name = `${subject.replace(':', '-')}${suffix}`;
  return { ...entry, annotations: { ...entry.annotations, [REF_NAME]: name } };
}

function tagOf(name: string | undefined): { subject: Digest; suffix: string | undefined } | undefined {
  const [, algorithm, hex, suffix] = TAG.exec(name ?? '') ?? [];
  const subject = `${algorithm}:${hex}`;
  return isDigest(subject) ? { subject, suffix } : undefined;
}
