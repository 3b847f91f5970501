import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { access } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { lookAt } from '../disk/look-at.ts';
import { ignoreErrors, linkError, onDisk } from '../disk/io-error.ts';
import { fileError } from '../system-error.ts';
import { inFolderOf, refuseLinks } from './workspace.ts';

/**
 * Whether {@link writeFileWhole} could write a file there. A command asks before it changes anything.
 * @param makesFolders whether the folders of the file are made, too; default false
 * @throws {@link DrayageError} `LINK`, `IO`; `NOT_FOUND` if there is no such folder
 */
export async function assertWritable(
  path: string,
  { makesFolders = false }: { makesFolders?: boolean } = {},
): Promise<void> {
  await refuseLinks(path);
  await assertReplaceable(path);
  try {
    if ((await lookAt(path))?.isDirectory() === true)
      throw Object.assign(new Error('a folder'), { code: 'EISDIR' });
    let folder = dirname(resolve(path));
    if (makesFolders) while ((await lookAt(folder)) === undefined) folder = dirname(folder);
    if ((await lookAt(folder))?.isDirectory() !== true)
      throw Object.assign(new Error('no folder'), { code: 'ENOTDIR' });
    await access(folder, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw fileError(error, `cannot write ${path}`, { path });
  }
}

/**
 * Writes a file that appears under its name when it is complete, and replaces an existing one. Only a regular file is
 * replaced: a device or a pipe would be gone.
 * @param mode its permissions; default: what the process gives to a new file
 * @throws {@link DrayageError} `LINK` for a path through a link in the workspace, and for a device or a pipe; `IO`
 */
export async function writeFileWhole(
  path: string,
  bytes: Readable,
  signal: AbortSignal,
  mode?: number,
): Promise<void> {
  await assertReplaceable(path);
  await inFolderOf(path, async (folder, name) => {
    const temporary = `${name}.${randomUUID()}.partial`;
    const handle = await onDisk(path, 'write', () => folder.create(temporary, mode ?? 0o666));
    try {
      if (mode !== undefined) await onDisk(path, 'write', () => handle.chmod(mode));
      await pipeline(bytes, intoFile(path, handle), { signal });
      await handle.close();
      await onDisk(path, 'write', () => folder.move(temporary, folder, name));
    } catch (error) {
      await ignoreErrors(() => handle.close());
      await ignoreErrors(() => folder.remove(temporary));
      throw error;
    }
  });
}

/** In /dev and /proc, also a name that leads to a regular file is not one: /dev/stdout. */
const OF_SYSTEM = /^\/(?:dev(?!\/shm\/)|proc)\//;

const STANDARD_OUTPUT = /^\/(?:dev\/stdout|(?:dev|proc\/self)\/fd\/1)$/;

async function assertReplaceable(path: string): Promise<void> {
  const full = resolve(path);
  const stats = await lookAt(path);
  const isReplaceable = stats === undefined || stats.isFile() || stats.isDirectory();
  if (isReplaceable && !OF_SYSTEM.test(full)) return;
  const hint = STANDARD_OUTPUT.test(full) ? 'for standard output, write - in its place' : undefined;
  throw linkError(path, 'no regular file', hint);
}

function intoFile(path: string, handle: FileHandle): Writable {
  return new Writable({
    write: (chunk: Uint8Array, _, done) => {
      onDisk(path, 'write', () => handle.writeFile(chunk)).then(() => done(), done);
    },
  });
}
