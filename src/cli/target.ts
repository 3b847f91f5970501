import { randomUUID } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ignoreErrors, linkError, onDisk } from '../disk/io-error.ts';
import { DrayageError } from '../index.ts';
import { shellWord } from '../text/shell-word.ts';
import { parseNotation } from './notation.ts';
import { stat } from 'node:fs/promises';
import { inFolderOf } from './workspace.ts';

/** A target of `--to`. */
export type Target =
  /** `name`: another name for the image there. */
  | { kind: 'archive'; path: string; format: 'docker' | 'oci'; name: string | undefined }
  | { kind: 'layout'; path: string; name: string | undefined }
  | { kind: 'stdout' };

/** Parses `oci:DIR`, `oci-archive:FILE` or `docker-archive:FILE`, each with an optional `:NAME`; or `-`. */
export function parseTarget(
  text: string,
  { json, stdout }: { json?: boolean; stdout: NodeJS.WritableStream },
): Target {
  if (text === '-') {
    const isTerminal = 'isTTY' in stdout && stdout.isTTY === true;
    if (json !== true && !isTerminal) return { kind: 'stdout' };
    const problem = isTerminal
      ? 'an archive cannot be shown on a terminal'
      : '--json and --to - both need standard output';
    throw new DrayageError('USAGE', problem, {
      hint: 'write the archive to a file: --to docker-archive:FILE',
    });
  }
  const { kind, path, image: name } = parseNotation(text);
  if (kind === undefined) {
    throw new DrayageError('USAGE', `not a target: ${text}`, {
      hint: 'use oci:DIR, oci-archive:FILE, docker-archive:FILE or -',
    });
  }
  if (name !== undefined && !/[:/]/.test(name)) {
    throw new DrayageError('USAGE', `${name} in ${text} is only a tag, not a name that docker knows`, {
      hint: `write the whole name: ${shellWord(`${kind}:${path}:app:${name}`)}`,
    });
  }
  if (kind === 'oci') return { kind: 'layout', path, name };
  return { kind: 'archive', path, name, format: kind === 'oci-archive' ? 'oci' : 'docker' };
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

async function assertReplaceable(path: string): Promise<void> {
  const stats = await stat(path).catch(() => undefined);
  if (stats === undefined || stats.isFile() || stats.isDirectory()) return;
  throw linkError(path, 'no regular file');
}

function intoFile(path: string, handle: FileHandle): Writable {
  return new Writable({
    write: (chunk: Uint8Array, _, done) => {
      onDisk(path, 'write', () => handle.writeFile(chunk)).then(() => done(), done);
    },
  });
}
