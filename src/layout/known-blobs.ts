import type { BigIntStats } from 'node:fs';
import type { Digest } from '../oci/digest.ts';

/** The state of each file when this process last computed its digest. */
const known = new Map<string, { digest: Digest; stamp: string }>();

/** Whether this process has computed this digest of a file that has not changed since. */
export function isKnownBlob(path: string, digest: Digest, stats: BigIntStats): boolean {
  const remembered = known.get(path);
  return remembered?.digest === digest && remembered.stamp === stampOf(stats);
}

/** Remembers the digest of a file that was hashed in this state. */
export function rememberBlob(path: string, digest: Digest, stats: BigIntStats): void {
  known.set(path, { digest, stamp: stampOf(stats) });
}

/** Forgets a file. */
export function forgetBlob(path: string): void {
  known.delete(path);
}

/** Differs if a file was changed or replaced: device, inode, size, and times of change to the nanosecond. */
export function stampOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
}
