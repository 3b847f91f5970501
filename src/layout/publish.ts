import { rename, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isMismatch } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { BlobFile } from './blob-file.ts';
import { blobNames, blobPath } from './blob-file.ts';
import { onDisk } from '../disk/io-error.ts';
import { EMPTY_INDEX } from './layout-files.ts';
import type { Lock } from './lock.ts';
import { ensureFolder, lookBelow, syncFolder } from '../disk/below.ts';
import { prepareReplacement } from './small-file.ts';
import type { StagedContent } from './staged-content.ts';
import type { Staging } from './staging.ts';
import type { Undo } from './undo.ts';
import { rememberBlobFile, verifyBlobFile } from './verify-blob.ts';
import { INDEX_FILE, LAYOUT_BYTES, LAYOUT_FILE } from '../oci/layout.ts';

/**
 * Makes an empty layout. `oci-layout` comes first: a folder with only that file counts as empty.
 * @throws {@link DrayageError} `IO`, `LINK`; `LOCKED` if the lock was lost
 */
export async function makeLayout(root: string, staging: Staging, lock: Lock, undo: Undo): Promise<void> {
  await makeFolder(root, undo);
  const index = Buffer.from(JSON.stringify(EMPTY_INDEX));
  await (
    await prepareReplacement(staging, root, LAYOUT_FILE, LAYOUT_BYTES)
  )(undo);
  const replaceIndex = await prepareReplacement(staging, root, INDEX_FILE, index);
  // A process that took the lock over may have made the layout, and put images in it.
  await lock.assertHeld();
  await replaceIndex(undo);
}

/** The blobs to publish. */
export interface Publication {
  blobs: Iterable<Descriptor>;
  /** Those that replace even an intact blob. */
  renewed: ReadonlySet<Digest>;
}

/**
 * Moves staged blobs to their places in the layout. Intact blobs there stay; damaged ones are replaced.
 * @throws {@link DrayageError} `IO`, `LINK`
 */
export async function publishBlobs(
  root: string,
  staged: StagedContent,
  { blobs, renewed }: Publication,
  undo: Undo,
): Promise<void> {
  const folders = new Set<string>();
  for (const descriptor of blobs) {
    const { digest } = descriptor;
    const from = staged.get(digest);
    if (from === undefined) continue;
    const names = blobNames(digest);
    const target = join(root, ...names);
    const folder = dirname(target);
    if (!folders.has(folder)) {
      await makeFolder(dirname(folder), undo);
      await makeFolder(folder, undo);
      folders.add(folder);
    }
    const isNew = (await lookBelow(root, names)) === undefined;
    if (!isNew && !renewed.has(digest) && (await isIntact({ root, names }, descriptor))) continue;
    if (isNew) undo.push(() => rm(target, { force: true }));
    await onDisk(target, 'publish', () => rename(blobPath(from.file), target));
    staged.forget(digest);
    await rememberBlobFile({ root, names }, digest);
  }
  for (const folder of folders) await syncFolder(folder);
}

async function isIntact(file: BlobFile, descriptor: Descriptor): Promise<boolean> {
  try {
    await verifyBlobFile(file, descriptor);
    return true;
  } catch (error) {
    if (isMismatch(error)) return false;
    throw error;
  }
}

/** Makes a folder unless it exists, and syncs it. */
async function makeFolder(path: string, undo: Undo): Promise<void> {
  if (!(await ensureFolder(path))) return;
  undo.push(() => rmdir(path));
  await syncFolder(dirname(path));
}
