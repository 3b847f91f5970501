import { constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import { DrayageError } from '../index.ts';
import { fileError, isNoFile, systemCode } from '../system-error.ts';
import { isTextForPath, mayBeKey } from './given-text.ts';

/** Options of {@link readGiven}. */
export interface GivenFileOptions {
  /** What to do if there is no such file. Default for that, and for all else: what its error code says. */
  hint?: string | undefined;
  /** It is a key: a text that may be a private key in place of the path is not printed. Default false. */
  isSecret?: boolean | undefined;
  /** How long a pipe may be silent, in milliseconds. Default 10 000. */
  patience?: number | undefined;
}

/** The largest file that is read, in bytes. */
const MAX_SIZE = 16 * 1024 * 1024;
const READ_SIZE = 64 * 1024;
const PAUSE = 20;

/**
 * Reads a file that the user named: a regular file, or a pipe, such as `/dev/stdin`. A pipe that nobody writes into
 * does not block: a blocked thread could not be interrupted.
 * @param what it holds, for the error: `the private key`
 * @throws {@link DrayageError} `NOT_FOUND`, `IO`; `LIMIT` above 16 MiB; `USAGE` for a text in place of a path, which the
 * error does not quote: it may be a private key
 */
export async function readGiven(
  path: string,
  what: string,
  { hint, isSecret = false, patience }: GivenFileOptions = {},
): Promise<Buffer> {
  if (isTextForPath(path)) throw isNoPath(what);
  const failed = (cause: unknown): unknown =>
    fileError(cause, `${what} ${path} cannot be read`, { path, hint: isNoFile(cause) ? hint : undefined });
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((cause: unknown) => {
    throw isSecret && mayBeKey(path) ? isNoPath(what) : failed(cause);
  });
  try {
    return await readHandle(handle, { what, path, patience });
  } catch (cause) {
    throw failed(cause);
  } finally {
    await handle.close();
  }
}

/**
 * Reads an open file to its end.
 * @throws {@link DrayageError} `LIMIT` above 16 MiB; `IO` for a silent pipe; errors of the system
 */
export async function readHandle(
  handle: FileHandle,
  { what, path, patience = 10_000 }: { what: string; path: string } & Pick<GivenFileOptions, 'patience'>,
): Promise<Buffer> {
  const isPipe = (await handle.stat()).isFIFO();
  const chunks: Buffer[] = [];
  let size = 0;
  let silentSince = performance.now();
  for (;;) {
    const chunk = await readSome(handle);
    // A pipe also ends before its writer has come.
    const isEnd = chunk?.length === 0 && !(isPipe && size === 0);
    if (isEnd) return Buffer.concat(chunks);
    if (chunk === undefined || chunk.length === 0) {
      if (performance.now() - silentSince >= patience) throw silent(what, path, patience);
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
      continue;
    }
    silentSince = performance.now();
    size += chunk.length;
    if (size > MAX_SIZE) throw tooLarge(what, path);
    chunks.push(chunk);
  }
}

/** @returns undefined if a pipe has no bytes yet */
async function readSome(handle: FileHandle): Promise<Buffer | undefined> {
  const buffer = Buffer.allocUnsafe(READ_SIZE);
  try {
    const { bytesRead } = await handle.read(buffer, 0, READ_SIZE, null);
    return buffer.subarray(0, bytesRead);
  } catch (error) {
    if (systemCode(error) === 'EAGAIN') return undefined;
    throw error;
  }
}

function isNoPath(what: string): DrayageError {
  return new DrayageError('USAGE', `${what} is given as text, not as the path of a file`, {
    hint: 'use a variable of type File',
  });
}

function silent(what: string, path: string, patience: number): DrayageError {
  const message = `${what} ${path} is a pipe, and nobody wrote into it for ${patience} ms`;
  return new DrayageError('IO', message, { path });
}

function tooLarge(what: string, path: string): DrayageError {
  return new DrayageError('LIMIT', `${what} ${path} is larger than the limit of ${MAX_SIZE} bytes`, {
    path,
    expected: MAX_SIZE,
  });
}
