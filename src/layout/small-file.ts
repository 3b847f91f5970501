import { join } from 'node:path';
import { DrayageError } from '../errors.ts';
import { MAX_DOCUMENT_SIZE } from '../oci/parse.ts';
import { openBelow } from '../disk/below.ts';
import { onDisk } from '../disk/io-error.ts';

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
    const { size } = await onDisk(path, 'read', () => handle.stat());
    assertSmall(path, size);
    const bytes = await onDisk(path, 'read', () => handle.readFile());
    assertSmall(path, bytes.length);
    return bytes;
  } finally {
    await handle.close();
  }
}

/** @throws {@link DrayageError} `LIMIT` for a file that is larger than documents may be */
export function assertSmall(path: string, size: number): void {
  if (size <= MAX_DOCUMENT_SIZE) return;
  throw new DrayageError('LIMIT', `${path} has ${size} bytes, over the limit of ${MAX_DOCUMENT_SIZE}`, {
    path,
    expected: MAX_DOCUMENT_SIZE,
    actual: size,
  });
}
