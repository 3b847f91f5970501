import type { ContentOptions } from '../content/source.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { drain } from '../stream/drain.ts';
import type { BlobFile } from './blob-file.ts';
import { blobNotFound, blobPath, readBlob } from './blob-file.ts';
import { isKnownBlob, rememberBlob } from './known-blobs.ts';
import { lookBelow } from '../disk/below.ts';

/**
 * Checks a blob file by hashing it. A file that has not changed since this process computed its digest (same device,
 * inode, size, and times of change to the nanosecond) is not read again.
 * @throws {@link DrayageError} `NOT_FOUND`, `DIGEST_MISMATCH`, `SIZE_MISMATCH`, each naming the file; `LINK`, `IO`
 */
export async function verifyBlobFile(
  file: BlobFile,
  descriptor: Descriptor,
  { signal }: ContentOptions = {},
): Promise<void> {
  signal?.throwIfAborted();
  const before = await lookBelow(file.root, file.names);
  if (before === undefined) throw blobNotFound(file, descriptor);
  const sameSize = before.size === BigInt(descriptor.size);
  if (sameSize && isKnownBlob(blobPath(file), descriptor.digest, before)) return;
  await drain(readBlob(file, descriptor, { signal }));
}

/** Remembers the digest of a file that this process has just written, hashed and published. */
export async function rememberBlobFile(file: BlobFile, digest: Digest): Promise<void> {
  const stats = await lookBelow(file.root, file.names);
  if (stats !== undefined) rememberBlob(blobPath(file), digest, stats);
}
