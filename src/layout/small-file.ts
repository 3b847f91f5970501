import { chmod, open, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { DrayageError } from '../errors.ts';
import { MAX_DOCUMENT_SIZE } from '../oci/parse.ts';
import { attempt, onDisk } from '../disk/io-error.ts';
import { look, openBelow } from '../disk/below.ts';
import type { Staging } from './staging.ts';
import type { Undo } from './undo.ts';

/**
 * Reads a whole small file of a layout.
 * @returns undefined if it does not exist
 * @throws {@link DrayageError} `LIMIT`, `LINK`, `IO`
 */
export async function readSmallFile(root: string, name: string): Promise<Buffer | undefined> {
  const path = join(root, name);
  const handle = await openBelow(root, [name]);
  if (handle === undefined) return undefined;
  try {
    assertSmall(path, (await handle.stat()).size);
    const bytes = await onDisk(path, 'read', () => handle.readFile());
    assertSmall(path, bytes.length);
    return bytes;
  } finally {
    await handle.close();
  }
}

/**
 * Prepares to replace a whole small file of a layout, or to remove it. The new bytes, and those that an undo would
 * restore, are on disk before anything changes.
 * @param bytes the new content; undefined removes the file
 * @throws {@link DrayageError} `LINK`, `IO`, `LIMIT`
 */
export async function prepareReplacement(
  staging: Staging,
  root: string,
  name: string,
  bytes: Buffer | undefined,
): Promise<(undo: Undo) => Promise<void>> {
  const target = join(root, name);
  await look(target, 'file');
  const before = await readSmallFile(root, name);
  if (bytes === undefined ? before === undefined : before?.equals(bytes)) return async () => {};
  const backup = before && (await writeSynced(staging.newPath(`${name}.before`), before));
  const fresh = bytes && (await writeSynced(staging.newPath(name), bytes));
  return async (undo) => {
    undo.push(() => (backup === undefined ? rm(target, { force: true }) : rename(backup, target)));
    await onDisk(target, 'replace', () => (fresh === undefined ? rm(target) : rename(fresh, target)));
  };
}

/** Writes a new file, readable by everyone, and waits until it is on disk. */
async function writeSynced(path: string, bytes: Buffer): Promise<string> {
  assertSmall(basename(path), bytes.length);
  return onDisk(path, 'write', async () => {
    const handle = await open(path, 'wx', 0o644);
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await attempt(() => chmod(path, 0o644));
    return path;
  });
}

function assertSmall(path: string, size: number): void {
  if (size <= MAX_DOCUMENT_SIZE) return;
  throw new DrayageError('LIMIT', `${path} has ${size} bytes, over the limit of ${MAX_DOCUMENT_SIZE}`, {
    path,
    expected: MAX_DOCUMENT_SIZE,
    actual: size,
  });
}
