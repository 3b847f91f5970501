import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { diskError } from '../system-error.ts';

/** A folder that is removed when it is closed. */
export interface TemporaryFolder extends AsyncDisposable {
  path: string;
}

/** The folder that temporary files are in. */
export function temporaryParent(): string {
  return tmpdir();
}

/**
 * Makes a folder for temporary files.
 * @throws {@link DrayageError} `IO`
 */
export async function makeTemporaryFolder(): Promise<TemporaryFolder> {
  const parent = temporaryParent();
  try {
    // The folder for temporary files may be a link.
    const path = await realpath(await mkdtemp(join(parent, 'drayage-')));
    return {
      path,
      [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 3 }),
    };
  } catch (error) {
    const hint = 'TMPDIR names the folder for temporary files: it must exist and be writable';
    throw diskError(error, `cannot make a folder in ${parent}`, { path: parent, hint });
  }
}
