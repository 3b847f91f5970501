import type { ContentOptions } from '../content/source.ts';
import { DrayageError } from '../errors.ts';
import { parseReference } from '../oci/reference.ts';
import type { OnProgress } from '../progress.ts';
import type { Registries } from '../registry/registries.ts';

/** Options of {@link untag}. */
export interface UntagOptions extends ContentOptions {
  /** Tags, of any number of registries: `registry.example/group/app:pr-12`. */
  references: readonly string[];
  registries: Registries;
  onProgress?: OnProgress | undefined;
}

/** A tag to remove. */
export interface UntaggedReference {
  /** `registry.example/group/app:pr-12` */
  ref: string;
  /** `absent`: there was no such tag. */
  status: 'removed' | 'absent';
}

/** Result of {@link untag}. */
export interface UntagResult {
  tags: UntaggedReference[];
  seconds: number;
}

/**
 * Removes tags. Their images stay under other tags and their digests, until the registry collects untagged ones.
 * @throws {@link DrayageError} `USAGE`, before any request, also for a reference without a tag; `UNSUPPORTED` if a
 * registry deletes nothing; `UNREACHABLE`, `TIMEOUT`
 * @example
 * ```ts
 * import { untag } from 'drayage';
 *
 * const { tags } = await untag({ references: [`${registryHost}/group/app:pr-12`], registries });
 * console.log(tags.map(({ ref, status }) => `${ref}: ${status}`));
 * ```
 */
export async function untag({
  references,
  registries,
  signal,
  onProgress,
}: UntagOptions): Promise<UntagResult> {
  const started = performance.now();
  const targets = [];
  for (const reference of references) {
    assertTag(reference);
    targets.push(await registries.tagged(reference));
  }
  const tags: UntaggedReference[] = [];
  for (const { repository, tag } of targets) {
    const ref = `${repository.name}:${tag}`;
    onProgress?.({ kind: 'image', name: ref });
    tags.push({ ref, status: (await repository.untag(tag, { signal })) ? 'removed' : 'absent' });
  }
  return { tags, seconds: (performance.now() - started) / 1000 };
}

/** A tag to remove must be named, even `latest`. */
function assertTag(reference: string): void {
  const { tag, digest } = parseReference(reference);
  if (tag !== undefined || digest !== undefined) return;
  throw new DrayageError('USAGE', `no tag given in ${reference}`, {
    hint: `name it, such as ${reference}:pr-12`,
  });
}
