import { DrayageError } from '../errors.ts';
import type { ContentOptions } from '../content/source.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { isDigest } from '../oci/digest.ts';
import type { LayoutIndex } from '../oci/image-index.ts';
import { reachable } from '../image/reachable.ts';
import { noteUnread } from '../listing/unread.ts';
import { blobNames, blobPath } from './blob-file.ts';
import { replaceEntries } from './commit.ts';
import { forgetBlob } from './known-blobs.ts';
import { checkLayoutFile, readLayoutIndex } from './layout-files.ts';
import type { Lock } from './lock.ts';
import { inFolder, namesBelow, removeBelow } from '../disk/below.ts';
import type { Staging } from './staging.ts';
import type { StoredContent } from './stored-content.ts';
import { Undo } from './undo.ts';

/** A layout that no other process changes: the lock is held for this one alone. */
export interface AloneContext extends ContentOptions {
  stored: StoredContent;
  staging: Staging;
  lock: Lock;
}

/** The input of {@link sweep}. */
export interface SweepContext extends AloneContext {
  /** Only reports what would be removed. */
  dryRun: boolean;
}

/** The blobs of a layout before and after a sweep. */
export interface SweptBlobs {
  /** The removed blobs and their bytes. */
  removed: { blobs: number; bytes: number };
  /** The remaining blobs and their bytes. */
  kept: { blobs: number; bytes: number };
}

/**
 * Keeps only the chosen entries of index.json, and removes every blob that they do not lead to. The lock is held, and
 * no other process is at work. Files that are not named like blobs stay.
 * @throws {@link DrayageError} `LOCKED` if the lock was lost or others are at work; errors of unreadable documents that
 * must stay: then nothing was removed
 */
export async function sweep(
  context: SweepContext,
  choose: (entries: readonly Descriptor[]) => Promise<readonly Descriptor[]>,
): Promise<SweptBlobs> {
  const { stored, staging, dryRun, signal } = context;
  await checkLayoutFile(stored.root);
  const before = await readLayoutIndex(stored.root);
  assertAllRead(before, stored.root);
  const chosen = new Set(await choose(before.manifests));
  const after = { ...before, manifests: before.manifests.filter((entry) => chosen.has(entry)) };
  const needed = await reachable(stored, after.manifests, { signal });
  const blobs = await listBlobs(stored.root);
  const removed = blobs.filter(({ digest }) => !needed.has(digest));
  if (!dryRun) {
    await assertAlone(staging);
    // Also without a change of the entries: a prune that was killed may have left no manifest.json.
    await replaceIndex(context, before, after);
    await removeBlobs(
      context,
      removed.map(({ digest }) => digest),
    );
  }
  return { removed: sum(removed), kept: sum(blobs.filter(({ digest }) => needed.has(digest))) };
}

/** The content of an unread entry is unknown: it may need any blob. */
export function assertAllRead({ unread: [entry] }: LayoutIndex, path: string): void {
  if (entry === undefined) return;
  throw new DrayageError('UNSUPPORTED', `nothing is removed from ${path}: ${noteUnread(entry)}`, {
    path,
    hint: 'the blobs that it needs are unknown: copy the images to keep into another layout instead',
  });
}

async function replaceIndex(
  { stored, staging, lock, signal }: SweepContext,
  before: Parameters<typeof replaceEntries>[1],
  after: Parameters<typeof replaceEntries>[2],
): Promise<void> {
  const undo = new Undo();
  try {
    const context = { stored, staging, source: stored, signal };
    await replaceEntries(context, before, after, { lock, undo });
  } catch (error) {
    if (await lock.isHeld()) await undo.run();
    throw error;
  }
}

/**
 * Checks that no other process is about to change the layout: it may need blobs that nothing names yet. Processes that
 * begin from now on wait while the lock is held.
 */
export async function assertAlone(staging: Staging): Promise<void> {
  const [other] = await staging.others();
  if (other === undefined) return;
  throw new DrayageError('LOCKED', `another process is at work on the layout: ${other}`, {
    path: other,
    hint: 'try again when it has ended; a killed process that cannot be seen from here counts for ten minutes',
  });
}

/** The blobs in a layout, by their file names. */
async function listBlobs(root: string): Promise<{ digest: Digest; size: number }[]> {
  const found: { digest: Digest; size: number }[] = [];
  for (const algorithm of await namesBelow(root, ['blobs'])) {
    if (!isDigest(`${algorithm}:${'0'.repeat(algorithm === 'sha512' ? 128 : 64)}`)) continue;
    await inFolder(root, ['blobs', algorithm], async (folder) => {
      for (const hex of await namesBelow(folder, [])) {
        const digest = `${algorithm}:${hex}`;
        const stats = isDigest(digest) ? await folder.look(hex, 'file') : undefined;
        if (stats !== undefined && isDigest(digest)) found.push({ digest, size: Number(stats.size) });
      }
    });
  }
  return found;
}

/**
 * Removes blobs.
 * @throws {@link DrayageError} `LOCKED` if the lock was lost; `IO`, `LINK`
 */
export async function removeBlobs(
  { stored: { root }, lock, signal }: AloneContext,
  digests: Iterable<Digest>,
): Promise<void> {
  for (const digest of digests) {
    signal?.throwIfAborted();
    // A process that took the lock over may need blobs that nothing names yet.
    await lock.assertHeld();
    const names = blobNames(digest);
    await removeBelow(root, names);
    forgetBlob(blobPath({ root, names }));
  }
}

function sum(blobs: readonly { size: number }[]): { blobs: number; bytes: number } {
  return { blobs: blobs.length, bytes: blobs.reduce((bytes, { size }) => bytes + size, 0) };
}
