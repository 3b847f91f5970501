import pLimit from 'p-limit';
import type { ContentOptions } from '../content/source.ts';
import { isAbsentOrDamaged } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { digestMismatch } from '../stream/verified.ts';
import type { BlobFile } from './blob-file.ts';
import { blobPath } from './blob-file.ts';
import { HashPool } from './hash-pool.ts';
import { openBelow } from './safe-path.ts';
import { hashHere, verifyBlobFile } from './verify-blob.ts';

/** Below this size a file is hashed here sooner than a thread has begun, in bytes. */
const MIN_THREAD_SIZE = 4 * 1024 * 1024;

/**
 * Checks many blob files as {@link verifyBlobFile} does, on all cores.
 * @returns the digests of those that are there and intact
 * @throws {@link DrayageError} `LINK`, `IO`
 */
export async function intactBlobFiles(
  blobs: readonly { file: BlobFile; descriptor: Descriptor }[],
  { signal }: ContentOptions = {},
): Promise<Set<Digest>> {
  await using pool = new HashPool();
  const stop = (): void => void pool[Symbol.asyncDispose]();
  signal?.addEventListener('abort', stop, { once: true });
  const limit = pLimit(HashPool.width);
  const intact = new Set<Digest>();
  // The largest first, so that no core is left with it alone at the end.
  const bySize = blobs.toSorted((a, b) => b.descriptor.size - a.descriptor.size);
  try {
    await limit.map(bySize, async ({ file, descriptor }) => {
      if (await isIntact(file, descriptor, pool, signal)) intact.add(descriptor.digest);
    });
    return intact;
  } finally {
    limit.clearQueue();
    signal?.removeEventListener('abort', stop);
  }
}

async function isIntact(
  file: BlobFile,
  descriptor: Descriptor,
  pool: HashPool,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  try {
    const hash = async (): Promise<void> => hashInThread(pool, file, descriptor, signal);
    await verifyBlobFile(file, descriptor, { signal, hash });
    return true;
  } catch (error) {
    if (isAbsentOrDamaged(error)) return false;
    throw error;
  }
}

async function hashInThread(
  pool: HashPool,
  file: BlobFile,
  descriptor: Descriptor,
  signal: AbortSignal | undefined,
): Promise<void> {
  const isLarge = descriptor.size >= MIN_THREAD_SIZE && descriptor.digest.startsWith('sha256:');
  const handle = isLarge ? await openBelow(file.root, file.names) : undefined;
  if (handle === undefined) return hashHere(file, descriptor, signal);
  let actual: Digest;
  try {
    const { size } = await handle.stat();
    if (size !== descriptor.size) return await hashHere(file, descriptor, signal);
    actual = await pool.hash(handle.fd);
  } catch {
    // Threads may be forbidden, and reading may fail: reading it here tells.
    signal?.throwIfAborted();
    return await hashHere(file, descriptor, signal);
  } finally {
    await handle.close();
  }
  if (actual !== descriptor.digest) throw digestMismatch(descriptor, actual, `blob ${blobPath(file)}`);
}
