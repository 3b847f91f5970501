import { basename, dirname } from 'node:path';
import { DrayageError, isMismatch } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { BlobFile } from './blob-file.ts';
import { blobNames } from './blob-file.ts';
import { removeBelow } from '../disk/below.ts';
import type { OpenFolderOptions } from '../disk/folder.ts';
import { Folder } from '../disk/folder.ts';
import { onDisk } from '../disk/io-error.ts';
import { EMPTY_INDEX, formatLayoutIndex } from '../oci/image-index.ts';
import type { Lock } from './lock.ts';
import { prepareReplacement } from './replacement.ts';
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
  await using parent = await openExisting(dirname(root), { follow: true });
  await (await openOrMake(parent, basename(root), undo, { follow: true })).close();
  const index = Buffer.from(formatLayoutIndex(EMPTY_INDEX));
  await markLayout(root, staging, undo);
  const replaceIndex = await prepareReplacement(staging, root, INDEX_FILE, index);
  // A process that took the lock over may have made the layout, and put images in it.
  await lock.assertHeld();
  await replaceIndex(undo);
}

/**
 * Writes the `oci-layout` of a folder.
 * @throws {@link DrayageError} `IO`, `LINK`
 */
export async function markLayout(root: string, staging: Staging, undo: Undo): Promise<void> {
  const mark = await prepareReplacement(staging, root, LAYOUT_FILE, LAYOUT_BYTES);
  await mark(undo);
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
  const wanted = [...blobs].filter(({ digest }) => staged.get(digest) !== undefined);
  if (wanted.length === 0) return;
  await using layout = await openExisting(root);
  const folders = new BlobFolders(layout, undo);
  try {
    for (const descriptor of wanted) {
      const { digest } = descriptor;
      const [name = '', ...above] = blobNames(digest).toReversed();
      const folder = await folders.open(above.toReversed());
      const file = { root: folder, names: [name] };
      const isNew = (await folder.look(name, 'file')) === undefined;
      if (!isNew && !renewed.has(digest) && (await isIntact(file, descriptor))) continue;
      if (isNew) undo.push(() => removeBelow(root, blobNames(digest)));
      await onDisk(folder.pathOf(name), 'publish', () => staged.move(digest, folder, name));
      await rememberBlobFile(file, digest);
    }
    await folders.sync();
  } finally {
    await folders.close();
  }
}

/** The open folders of a layout that blobs are moved into. */
class BlobFolders {
  readonly #layout: Folder;
  readonly #undo: Undo;
  readonly #open = new Map<string, Folder>();

  constructor(layout: Folder, undo: Undo) {
    this.#layout = layout;
    this.#undo = undo;
  }

  /** Opens a folder, and makes it if it does not exist. */
  async open(names: readonly string[]): Promise<Folder> {
    let folder = this.#layout;
    for (const [i, name] of names.entries()) {
      const key = names.slice(0, i + 1).join('/');
      folder = this.#open.get(key) ?? (await openOrMake(folder, name, this.#undo));
      this.#open.set(key, folder);
    }
    return folder;
  }

  async sync(): Promise<void> {
    for (const folder of this.#open.values()) await folder.sync();
  }

  async close(): Promise<void> {
    for (const folder of this.#open.values()) await folder.close();
  }
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

/**
 * Opens a folder. If it does not exist, makes it, readable by everyone, and syncs the outer one.
 * @param options how the outer one is opened again to undo that
 */
async function openOrMake(
  outer: Folder,
  name: string,
  undo: Undo,
  options?: OpenFolderOptions,
): Promise<Folder> {
  const { folder, isNew } = await outer.ensure(name, 0o755);
  if (!isNew) return folder;
  undo.push(async () => {
    await using again = await Folder.open(outer.path, options);
    await again?.removeEmpty(name);
  });
  try {
    await outer.sync();
    return folder;
  } catch (error) {
    await folder.close();
    throw error;
  }
}

async function openExisting(path: string, options?: OpenFolderOptions): Promise<Folder> {
  const folder = await Folder.open(path, options);
  if (folder !== undefined) return folder;
  throw new DrayageError('IO', `the folder ${path} was removed meanwhile`, { path, actual: 'ENOENT' });
}
