import type { Descriptor } from '../../oci/descriptor.ts';
import { REF_NAME } from '../../oci/annotations.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Referrer } from '../../image/referrers.ts';

/** Which of what refers to an image goes along. */
export interface ReferrerChoice {
  /** What vouches for the image; undefined where nobody asked: then everything goes along. */
  vouchers: readonly Descriptor[] | undefined;
  /**
   * What goes along although nobody asked whose it is: artifact types, the types of what is attested as annotations state them,
   * the ends of cosign's tags (`.sig`), or `all`.
   */
  attach: readonly string[];
}

const PREDICATE_TYPES = ['dev.sigstore.bundle.predicateType', 'in-toto.io/predicate-type', 'predicateType'];

/**
 * Those of the referrers that go along: of what refers to a referrer that stays, nothing does.
 * @param referrers each after what it refers to
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
 * The tag under which cosign looks for what has no `subject`: `sha256-<hex>.sig`, `.att` or `.sbom` (cosign, SIGNATURE_SPEC.md);
 * undefined where it has no such name, or one that is too long for a tag.
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
