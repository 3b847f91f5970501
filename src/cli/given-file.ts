import { readFile } from 'node:fs/promises';
import { fileError } from '../system-error.ts';

/**
 * Reads a file that the user named.
 * @param what it holds, for the error: `the private key`
 * @param hint what to do if it cannot be read
 * @throws {@link DrayageError} `NOT_FOUND`, `IO`
 */
export async function readGiven(path: string, what: string, hint?: string): Promise<Buffer> {
  return readFile(path).catch((cause: unknown) => {
    throw fileError(cause, `${what} ${path} cannot be read`, { path, hint });
  });
}
