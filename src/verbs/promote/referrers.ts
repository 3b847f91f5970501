import type { Descriptor } from '../../oci/descriptor.ts';
import { REF_NAME } from '../../oci/annotations.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Referrer } from '../../image/referrers.ts';

/** Selects which referrers are copied. */
export interface ReferrerChoice {
  /**
   * The referrers that vouch for the image; undefined if signatures were not checked: then all referrers are copied.
   */
  vouchers: readonly Descriptor[] | undefined;
  /**
   * Referrers to copy unchecked: artifact types, types of attested content as annotations state them, suffixes of
   * cosign's tags (`.sig`), or `all`.
   */
  attach: readonly string[];
}

const PREDICATE_TYPES = ['dev.sigstore.bundle.predicateType', 'in-toto.io/predicate-type', 'predicateType'];

/**
 * The referrers to copy. If a referrer is not copied, its own referrers are not, either.
 * @param referrers each after its subject
 */
export function chooseReferrers<T extends Pick<Referrer, 'subject' | 'descriptor'>>(
  referrers: readonly T[],
  { vouchers, attach }: ReferrerChoice,
): T[] {
  if (vouchers === undefined || attach.includes('all')) return [...referrers];
  const vouching = new Set(vouchers.map(({ digest }) => digest));
  const staying = new Set<Digest>();
  return referrers.filter(({ subject, descriptor }) => {
    const goes = vouching.has(descriptor.digest) || kindsOf(descriptor).some((kind) => attach.includes(kind));
    if (goes && !staying.has(subject)) return true;
    staying.add(descriptor.digest);
    return false;
  });
}

/**
 * The tag under which cosign looks for a document without `subject`: `sha256-<hex>.sig`, `.att` or `.sbom` (cosign,
 * SIGNATURE_SPEC.md); undefined if its name has another form, or is too long for a tag.
 */
export function cosignTag({ annotations }: Descriptor): string | undefined {
  const [, tag] =
    /(?:^|:)(sha(?:256|512)-[0-9a-f]+\.(?:sig|att|sbom))$/.exec(annotations?.[REF_NAME] ?? '') ?? [];
  return tag !== undefined && tag.length <= 128 ? tag : undefined;
}

function kindsOf(descriptor: Descriptor): string[] {
  const { artifactType, annotations } = descriptor;
  const stated = PREDICATE_TYPES.flatMap((key) => annotations?.[key] ?? []);
  const suffix = cosignTag(descriptor)?.replace(/^.*(?=\.)/, '');
  return [
    ...(artifactType === undefined ? [] : [artifactType]),
    ...stated,
    ...(suffix === undefined ? [] : [suffix]),
  ];
}
