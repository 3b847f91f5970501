import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { chmod, rename, rm } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { DrayageError } from '../index.ts';
import { parseNotation } from './notation.ts';
import { diskError } from '../system-error.ts';
import { shellWord } from '../text/shell-word.ts';

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
 * Writes a file that appears under its name when it is complete, and replaces an existing one.
 * @param mode its permissions; default: what the process gives to a new file
 */
export async function writeFileWhole(
  path: string,
  bytes: Readable,
  signal: AbortSignal,
  mode?: number,
): Promise<void> {
  const temporary = `${path}.${randomUUID()}.partial`;
  try {
    await pipeline(bytes, createWriteStream(temporary, { flags: 'wx', mode }), { signal });
    if (mode !== undefined) await chmod(temporary, mode);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw asDiskError(error, path);
  }
}

function asDiskError(error: unknown, path: string): unknown {
  const isFileError = error instanceof Error && 'syscall' in error && 'path' in error;
  const isFull = error instanceof Error && 'code' in error && error.code === 'ENOSPC';
  if (!isFileError && !isFull) return error;
  return diskError(error, `cannot write ${path}`, { path });
}
