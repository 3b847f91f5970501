import type { ContentOptions } from '../content/source.ts';
import { isAbsentOrDamaged } from '../errors.ts';
import { fileDigesters } from '../ingest/hash.ts';
import { hashMany } from '../ingest/hash-many.ts';
import type { Threads } from '../ingest/threads.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { digestMismatch } from '../stream/verified.ts';
import type { BlobFile } from './blob-file.ts';
import { blobNotFound, blobPath } from './blob-file.ts';
import { openBelow } from './safe-path.ts';
import type { HashFile } from './verify-blob.ts';
import { hashHere, verifyBlobFile } from './verify-blob.ts';

/** Below this size a file is hashed here sooner than a thread has begun, in bytes. */
const MIN_THREAD_SIZE = 4 * 1024 * 1024;

/** A blob's file, and what it should hold. */
interface StoredBlob {
  file: BlobFile;
  descriptor: Descriptor;
}

/**
 * Checks many blob files as {@link verifyBlobFile} does, on all cores.
 * @returns the digests of those that are there and intact
 * @throws {@link DrayageError} `LINK`, `IO`
 */
export async function intactBlobFiles(
  blobs: readonly StoredBlob[],
  options: ContentOptions = {},
): Promise<Set<Digest>> {
  const intact = new Set<Digest>();
  await hashMany(
    blobs,
    ({ descriptor }) => descriptor.size,
    async (blob, threads, signal) => {
      if (await isIntact(blob, threads, signal)) intact.add(blob.descriptor.digest);
    },
    options,
  );
  return intact;
}

async function isIntact(
  { file, descriptor }: StoredBlob,
  threads: Threads | undefined,
  signal: AbortSignal,
): Promise<boolean> {
  const isLarge = descriptor.size >= MIN_THREAD_SIZE && descriptor.digest.startsWith('sha256:');
  const hash = threads !== undefined && isLarge ? hashOn(threads) : undefined;
  try {
    await verifyBlobFile(file, descriptor, { signal, hash });
    return true;
  } catch (error) {
    if (isAbsentOrDamaged(error)) return false;
    throw error;
  }
}

/** Hashes a file on a thread, which reads from where it was opened: the path is not followed a second time. */
function hashOn(threads: Threads): HashFile {
  return async (file, descriptor, signal) => {
    const handle = await openBelow(file.root, file.names);
    if (handle === undefined) throw blobNotFound(file, descriptor);
    let actual: Digest;
    try {
      const digester = fileDigesters(threads)(handle.fd);
      digester.grown(descriptor.size);
      actual = await digester.digest();
      if ((await handle.stat()).size !== descriptor.size) return await hashHere(file, descriptor, signal);
    } catch {
      // Threads may be forbidden, and reading may fail: reading it here tells.
      signal?.throwIfAborted();
      return await hashHere(file, descriptor, signal);
    } finally {
      await handle.close();
    }
    if (actual !== descriptor.digest) throw digestMismatch(descriptor, actual, `blob ${blobPath(file)}`);
  };
}
