import { constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import { DrayageError } from '../index.ts';
import { fileError, systemCode } from '../system-error.ts';

/** Options of {@link readGiven}. */
export interface GivenFileOptions {
  /** What to do if it cannot be read. */
  hint?: string | undefined;
  /** How long a pipe may be silent, in milliseconds. Default 10 000. */
  patience?: number;
}

/** The largest file that is read, in bytes. */
const MAX_SIZE = 16 * 1024 * 1024;
const READ_SIZE = 64 * 1024;
const PAUSE = 20;
/** The beginning of a PEM text, or of its base64. */
const PEM = /-----BEGIN |^\s*LS0tLS1CRUdJTi/;

/**
 * Reads a file that the user named: a regular file, or a pipe, such as `/dev/stdin`. A pipe that nobody writes into
 * does not block: a blocked thread could not be interrupted.
 * @param what it holds, for the error: `the private key`
 * @throws {@link DrayageError} `NOT_FOUND`, `IO`; `LIMIT` above 16 MiB; `USAGE` for a PEM text in place of a path, which
 * the error does not quote: it may be a private key
 */
export async function readGiven(
  path: string,
  what: string,
  { hint, patience = 10_000 }: GivenFileOptions = {},
): Promise<Buffer> {
  if (PEM.test(path)) {
    throw new DrayageError('USAGE', `${what} is given as text, not as the path of a file`, {
      hint: 'use a variable of type File',
    });
  }
  const name = `${what} ${path}`;
  try {
    const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      return await readAll(handle, name, patience);
    } finally {
      await handle.close();
    }
  } catch (cause) {
    throw fileError(cause, `${name} cannot be read`, { path, hint });
  }
}

async function readAll(handle: FileHandle, name: string, patience: number): Promise<Buffer> {
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
      if (performance.now() - silentSince >= patience) throw silent(name, patience);
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
      continue;
    }
    silentSince = performance.now();
    size += chunk.length;
    if (size > MAX_SIZE) throw tooLarge(name);
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

function silent(name: string, patience: number): DrayageError {
  return new DrayageError('IO', `${name} is a pipe, and nobody wrote into it for ${patience} ms`);
}

function tooLarge(name: string): DrayageError {
  return new DrayageError('LIMIT', `${name} is larger than the limit of ${MAX_SIZE} bytes`, {
    expected: MAX_SIZE,
  });
}
