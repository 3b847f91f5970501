import type { ContentOptions } from '../../content/source.ts';
import { DrayageError } from '../../errors.ts';
import type { ImageContents } from '../../image/contents.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import type { TaggedRepository } from '../../registry/registries.ts';

/** A tag that was set. */
export interface PromotedTag {
  /** `registry.example/group/app:1.2` */
  ref: string;
  /** `registry.example/group/app@sha256:…`: what to deploy. */
  digestRef: string;
  /** `present`: it meant this image already. */
  status: 'set' | 'moved' | 'present';
  /** What it meant before, if it has moved. */
  was: Digest | null;
}

/** An image and its new tags. */
interface Tagging {
  root: Descriptor;
  targets: readonly TaggedRepository[];
  contents: Pick<ImageContents, 'root'>;
}

/**
 * Sets the tags of an image whose content is there already.
 * @throws {@link DrayageError} `UNSAFE` if one would move that must not
 */
export async function setTags(
  { root: { digest }, targets, contents }: Tagging,
  { signal, ifAbsent }: ContentOptions & { ifAbsent?: boolean },
): Promise<PromotedTag[]> {
  const tags: PromotedTag[] = [];
  for (const { repository, tag } of targets) {
    const ref = `${repository.name}:${tag}`;
    // Asked again, because somebody may have set it meanwhile.
    const was = (await repository.describe(tag, { signal }))?.digest;
    if (ifAbsent === true) assertUnmoved(ref, was, digest);
    if (was !== digest) await repository.putManifest(contents.root, tag, { signal });
    const status = was === undefined ? 'set' : was === digest ? 'present' : 'moved';
    tags.push({
      ref,
      digestRef: `${repository.name}@${digest}`,
      status,
      was: status === 'moved' ? (was ?? null) : null,
    });
  }
  return tags;
}

/**
 * Refuses to move a tag.
 * @throws {@link DrayageError} `UNSAFE`
 */
export function assertUnmoved(ref: string, was: Digest | undefined, digest: Digest): void {
  if (was === undefined || was === digest) return;
  throw new DrayageError('UNSAFE', `${ref} is there already, and means ${was}`, {
    expected: digest,
    actual: was,
    reason: 'TAG_TAKEN',
    hint: 'choose another tag',
  });
}

/**
 * Refuses one tag for two images.
 * @throws {@link DrayageError} `AMBIGUOUS`
 */
export function assertTagsAgree(planned: readonly Tagging[]): void {
  const meant = new Map<string, Digest>();
  for (const { root, targets } of planned) {
    for (const { repository, tag } of targets) {
      const ref = `${repository.name}:${tag}`;
      const other = meant.get(ref) ?? root.digest;
      if (other !== root.digest) {
        throw new DrayageError('AMBIGUOUS', `${ref} would be two images: ${other} and ${root.digest}`, {
          candidates: [other, root.digest],
          hint: 'have {name} or {tag} in the references',
        });
      }
      meant.set(ref, other);
    }
  }
}
