import type { BigIntStats } from 'node:fs';
import type { ContentOptions } from '../content.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { BlobFile } from './blob-file.ts';
import { blobNotFound, blobPath, readBlob } from './blob-file.ts';
import { lookBelow } from './safe-path.ts';

/** What each file was when its digest was last computed by this process. */
const known = new Map<string, { digest: Digest; stamp: string }>();

/**
 * Checks a blob file by hashing it. A file that has not changed since this process computed its digest (same device,
 * inode, size, and times of change to the nanosecond) is not read again.
 * @param read reads the file to the end and hashes it while it checks more: it is called in any case
 * @throws {@link DrayageError} `NOT_FOUND`, `DIGEST_MISMATCH`, `SIZE_MISMATCH`, each naming the file; `LINK`, `IO`
 */
export async function verifyBlobFile(
  file: BlobFile,
  descriptor: Descriptor,
  { signal }: ContentOptions = {},
  read?: () => Promise<unknown>,
): Promise<void> {
  signal?.throwIfAborted();
  const before = await lookBelow(file.root, file.names);
  if (before === undefined) throw blobNotFound(file, descriptor);
  const path = blobPath(file);
  const remembered = known.get(path);
  const sameSize = before.size === BigInt(descriptor.size);
  const isKnown =
    sameSize && remembered?.digest === descriptor.digest && remembered.stamp === stampOf(before);
  if (isKnown && read === undefined) return;
  known.delete(path);
  if (read !== undefined) await read();
  // oxlint-disable-next-line no-unused-vars -- reading to the end is the check
  else for await (const _ of readBlob(file, descriptor, 0, signal));
  const after = await lookBelow(file.root, file.names);
  if (after !== undefined && stampOf(after) === stampOf(before)) {
    known.set(path, { digest: descriptor.digest, stamp: stampOf(after) });
  }
}

/** Notes the digest of a file that this process has just written, hashed and put in place. */
export async function rememberBlobFile(file: BlobFile, digest: Digest): Promise<void> {
  const stats = await lookBelow(file.root, file.names);
  if (stats !== undefined) known.set(blobPath(file), { digest, stamp: stampOf(stats) });
}

function stampOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
}
