import { currentBudget } from '../budget.ts';
import type { ContentOptions, ContentSource } from '../content/source.ts';
import { isDrayageError } from '../errors.ts';
import type { WalkNode, WalkOptions } from '../image/contents.ts';
import { walk } from '../image/contents.ts';
import { subjectOf } from '../image/documents.ts';
import { isUnreadable } from '../image/image.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { isDocumentType } from '../oci/media-types.ts';
import { cosignSubjects } from './cosign-entry.ts';

/** What refers to which content. */
export type ReferrersBySubject = ReadonlyMap<Digest, readonly Descriptor[]>;

/**
 * Finds the manifests and indexes that have a `subject`, among the entries of index.json and everything nested in them,
 * in one walk. Their descriptors are as in a registry's list: with the artifact type and the manifest's own annotations
 * (OCI distribution-spec, listing referrers). Also finds what belongs to content by cosign's names, without a
 * `subject`. Absent and damaged content is skipped: it refers to nothing, and others need not suffer for it.
 * @throws {@link DrayageError} errors of `source` that are not about content; `LIMIT` beyond the run's budget
 */
export async function findReferrers(
  source: ContentSource,
  entries: readonly Descriptor[],
  options: WalkOptions = {},
): Promise<ReferrersBySubject> {
  const found = new Map<Digest, Map<Digest, Descriptor>>();
  const note = (subject: Digest, referrer: Descriptor): void => {
    found.set(subject, (found.get(subject) ?? new Map<Digest, Descriptor>()).set(referrer.digest, referrer));
  };
  const documents = entries.filter(({ mediaType }) => isDocumentType(mediaType));
  // An image has an entry for each of its names.
  const roots = new Map(documents.map((entry) => [entry.digest, entry]));
  const cosignSubject = cosignSubjects(entries);
  // Many entries may lead to the same documents: each is read once.
  const seen = new Set<Digest>();
  for (const entry of roots.values()) {
    if (!(await isThere(source, entry, options))) continue;
    const named = cosignSubject(entry);
    if (named !== undefined) note(named.subject, named.referrer);
    for await (const node of readable(source, entry, { ...options, seen })) {
      if (node.kind !== 'manifest' && node.kind !== 'index') continue;
      const { descriptor, value } = node.document;
      if (value.subject === undefined) continue;
      const { mediaType, digest, size } = descriptor;
      const type = value.artifactType ?? ('config' in value ? value.config.mediaType : undefined);
      note(value.subject.digest, {
        mediaType,
        digest,
        size,
        ...(type !== undefined && { artifactType: type }),
        ...(value.annotations && { annotations: value.annotations }),
      });
    }
  }
  return new Map([...found].map(([subject, referrers]) => [subject, [...referrers.values()]]));
}

/** Whether a root is present. What is no file of its own is not. */
async function isThere(source: ContentSource, root: Descriptor, options: ContentOptions): Promise<boolean> {
  try {
    return await source.has(root, options);
  } catch (error) {
    passOver(error);
    return false;
  }
}

/** What can be walked of a root. */
async function* readable(
  source: ContentSource,
  root: Descriptor,
  options: WalkOptions,
): AsyncGenerator<WalkNode, void, undefined> {
  try {
    yield* walk(source, root, { ...options, onDamaged: passOver });
  } catch (error) {
    passOver(error);
  }
}

/** Throws an error that is not about content. */
function passOver(error: unknown): void {
  const isOfContent = isUnreadable(error) || isDrayageError(error, 'LINK');
  if (!isOfContent || error === currentBudget()?.exceeded) throw error;
}

/** Whether a root refers to an image, such as a signature, and so is not an image itself. */
export async function isReferrer(
  source: ContentSource,
  root: Descriptor,
  options: ContentOptions,
): Promise<boolean> {
  try {
    return (await subjectOf(source, root, options)) !== undefined;
  } catch {
    options.signal?.throwIfAborted();
    // An unreadable root is listed: reading it reports the reason.
    return false;
  }
}
