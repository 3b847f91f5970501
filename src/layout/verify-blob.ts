import type { ContentOptions } from '../content/source.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { drain } from '../stream/drain.ts';
import type { BlobFile } from './blob-file.ts';
import { blobNotFound, blobPath, readBlob } from './blob-file.ts';
import { forgetBlob, isKnownBlob, rememberBlob, stampOf } from './known-blobs.ts';
import { lookBelow } from './safe-path.ts';

/** Hashes a file and holds it against a descriptor; errors as of {@link verifyBlobFile}. */
export type HashFile = (file: BlobFile, descriptor: Descriptor, signal?: AbortSignal) => Promise<void>;

/** Options of {@link verifyBlobFile}. */
export interface VerifyBlobOptions extends ContentOptions {
  /** Hashes the file if that is needed. Default {@link hashHere}. */
  hash?: HashFile;
}

/**
 * Checks a blob file by hashing it. A file that has not changed since this process computed its digest (same device,
 * inode, size, and times of change to the nanosecond) is not read again.
 * @throws {@link DrayageError} `NOT_FOUND`, `DIGEST_MISMATCH`, `SIZE_MISMATCH`, each naming the file; `LINK`, `IO`
 */
export async function verifyBlobFile(
  file: BlobFile,
  descriptor: Descriptor,
  { signal, hash = hashHere }: VerifyBlobOptions = {},
): Promise<void> {
  signal?.throwIfAborted();
  const before = await lookBelow(file.root, file.names);
  if (before === undefined) throw blobNotFound(file, descriptor);
  const path = blobPath(file);
  const sameSize = before.size === BigInt(descriptor.size);
  if (sameSize && isKnownBlob(path, descriptor.digest, before)) return;
  forgetBlob(path);
  await hash(file, descriptor, signal);
  const after = await lookBelow(file.root, file.names);
  if (after !== undefined && stampOf(after) === stampOf(before)) rememberBlob(path, descriptor.digest, after);
}

/** Hashes a file in the thread that calls. */
export async function hashHere(file: BlobFile, descriptor: Descriptor, signal?: AbortSignal): Promise<void> {
  await drain(readBlob(file, descriptor, { signal }));
}

/** Notes the digest of a file that this process has just written, hashed and put in place. */
export async function rememberBlobFile(file: BlobFile, digest: Digest): Promise<void> {
  const stats = await lookBelow(file.root, file.names);
  if (stats !== undefined) rememberBlob(blobPath(file), digest, stats);
}
