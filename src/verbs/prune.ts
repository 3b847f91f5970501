import type { StoredImage } from '../content/image-index.ts';
import type { ContentOptions } from '../content/source.ts';
import { DrayageError, isDrayageError } from '../errors.ts';
import { subjectOf } from '../image/documents.ts';
import type { Layout } from '../layout/layout.ts';
import { listImages, removeImage } from '../listing/entries.ts';
import { entryNames } from '../listing/names.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { isDigest } from '../oci/digest.ts';
import type { Links } from '../image/reachable.ts';
import { readLinks } from '../image/reachable.ts';
import { withoutOrphans } from '../image/orphans.ts';

/** Options of {@link prune}. */
export interface PruneOptions extends ContentOptions {
  layout: Layout;
  /** Names or digests. A name is removed alone if its image has others. Default: none; with `before` all images. */
  images?: readonly string[] | undefined;
  /** Only those images whose manifest or index was written before this time. Default: any time. */
  before?: Date | undefined;
  /** Only reports what would be removed. Default false. */
  dryRun?: boolean | undefined;
}

/** Result of {@link prune}. */
export interface PruneResult {
  /** The layout's folder. */
  layout: string;
  /** The removed names, and the removed unnamed images. */
  removed: { name: string | null; digest: Digest }[];
  /** The referrers of removed images: signatures, SBOMs. */
  referrers: Digest[];
  /** The number of removed and remaining blobs, and their stored bytes. */
  freed: { blobs: number; bytes: number };
  kept: { blobs: number; bytes: number };
  /** Whether nothing was removed, because only a report was requested. */
  dryRun: boolean;
}

/**
 * Removes the selected images from a layout, their referrers, and every unreferenced blob. Removes nothing while
 * another process is at work on the layout.
 * @throws {@link DrayageError} `NOT_FOUND`, `AMBIGUOUS`, `USAGE` for a part of a multi-platform image, `LOCKED`, `IO`,
 * `LINK`; errors of damaged documents that must stay: then nothing was removed
 * @example
 * ```ts
 * import { prune } from 'drayage';
 *
 * const { freed } = await prune({ layout, images: ['app:1'] });
 * console.log(`${freed.blobs} blobs are gone, ${freed.bytes} bytes`);
 * ```
 */
export async function prune(options: PruneOptions): Promise<PruneResult> {
  const { layout, dryRun = false, signal } = options;
  const removed: PruneResult['removed'] = [];
  const referrers: Digest[] = [];
  const swept = await layout.prune(
    async (entries) => {
      const chosen = await withoutChosen(entries, options);
      for (const entry of without(entries, chosen))
        removed.push({ name: nameOf(entry), digest: entry.digest });
      const kept = await withoutReferrers(entries, chosen, options);
      for (const { digest } of without(chosen, kept)) referrers.push(digest);
      return kept;
    },
    { dryRun, signal },
  );
  return { layout: layout.path, removed, referrers, freed: swept.removed, kept: swept.kept, dryRun };
}

/** The entries without the images to remove. */
async function withoutChosen(
  entries: readonly Descriptor[],
  options: PruneOptions,
): Promise<readonly Descriptor[]> {
  const { layout, images, before, signal } = options;
  if (images !== undefined) {
    let left = entries;
    for (const reference of images) {
      const digest = isDigest(reference) ? reference : undefined;
      const target = digest === undefined ? { name: reference } : { digest };
      const remaining = removeImage(entries, target);
      const gone =
        remaining.length < entries.length
          ? without(entries, remaining)
          : await byDigest(entries, reference, options);
      const old = await Promise.all(gone.map(async (entry) => isOlder(layout, entry, before)));
      left = without(
        left,
        gone.filter((_, i) => old[i] === true),
      );
    }
    return left;
  }
  if (before === undefined) return entries;
  const old = new Set<Digest>();
  for (const { root } of await imagesOf(layout, entries, signal)) {
    if (await isOlder(layout, root, before)) old.add(root.digest);
  }
  return entries.filter(({ digest }) => !old.has(digest));
}

/** All images. A referrer goes with its subject, at any age. */
async function imagesOf(
  layout: Layout,
  entries: readonly Descriptor[],
  signal: AbortSignal | undefined,
): Promise<StoredImage[]> {
  const subjects = await Promise.all(entries.map((entry) => subjectDigest(layout, entry, signal)));
  return listImages(entries.filter((_, i) => subjects[i] === undefined));
}

/** The entries of an image that a reference finds by digest. */
async function byDigest(
  entries: readonly Descriptor[],
  reference: string,
  { layout, signal }: PruneOptions,
): Promise<Descriptor[]> {
  const [{ root }] = await layout.resolve(reference, { signal });
  const found = entries.filter(({ digest }) => digest === root.digest);
  if (found.length > 0) return found;
  throw new DrayageError('USAGE', `${reference} is a part of a multi-platform image`, {
    digest: root.digest,
    hint: 'the whole image can be removed, by its name or digest',
  });
}

async function isOlder(layout: Layout, root: Descriptor, before: Date | undefined): Promise<boolean> {
  if (before === undefined) return true;
  const written = await layout.writtenAt(root);
  return written !== undefined && written < before;
}

/** The entries without the referrers of removed ones: signatures of images, and the referrers of these. */
async function withoutReferrers(
  all: readonly Descriptor[],
  chosen: readonly Descriptor[],
  { layout, signal }: PruneOptions,
): Promise<readonly Descriptor[]> {
  if (chosen.length === all.length) return chosen;
  const subjects = new Map<Descriptor, Digest>();
  for (const entry of chosen) {
    const subject = await subjectDigest(layout, entry, signal);
    if (subject !== undefined) subjects.set(entry, subject);
  }
  return withoutOrphans(all, chosen, subjects, await linksOf(layout, all, chosen, signal));
}

/** What all entries lead to. Of those that go, unreadable documents lead nowhere: a damaged image can be removed, too. */
async function linksOf(
  layout: Layout,
  all: readonly Descriptor[],
  chosen: readonly Descriptor[],
  signal: AbortSignal | undefined,
): Promise<Links> {
  const links: Links = new Map();
  await readLinks(layout, chosen, links, { signal });
  for (const entry of without(all, chosen)) {
    try {
      await readLinks(layout, [entry], links, { signal });
    } catch (error) {
      if (!isDrayageError(error)) throw error;
    }
  }
  return links;
}

/** The subject of an entry; undefined for images, and for unreadable entries. */
async function subjectDigest(
  layout: Layout,
  entry: Descriptor,
  signal: AbortSignal | undefined,
): Promise<Digest | undefined> {
  try {
    return (await subjectOf(layout, entry, { signal }))?.digest;
  } catch (error) {
    if (!isDrayageError(error)) throw error;
    return undefined;
  }
}

/** The entries that are not among others. */
function without(entries: readonly Descriptor[], others: readonly Descriptor[]): Descriptor[] {
  const left = new Set(others);
  return entries.filter((entry) => !left.has(entry));
}

function nameOf(entry: Descriptor): string | null {
  const { name, foreign } = entryNames(entry);
  return name ?? foreign ?? null;
}
