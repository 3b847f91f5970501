import { readFile } from 'node:fs/promises';
import { DrayageError } from '../errors.ts';
import { diskError, isNoFile } from '../system-error.ts';

/**
 * Reads a file that the user named.
 * @param what it holds, for the error: `the private key`
 * @param hint what to do if it cannot be read
 * @throws {@link DrayageError} `NOT_FOUND`, `IO`
 */
export async function readGiven(path: string, what: string, hint?: string): Promise<Buffer> {
  return readFile(path).catch((cause: unknown) => {
    const message = `${what} ${path} cannot be read`;
    throw isNoFile(cause)
      ? new DrayageError('NOT_FOUND', message, { path, cause, hint })
      : diskError(cause, message, { path, hint });
  });
}
