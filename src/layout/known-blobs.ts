import type { BigIntStats } from 'node:fs';
import type { Digest } from '../oci/digest.ts';

/** What each file was when its digest was last computed by this process. */
const known = new Map<string, { digest: Digest; stamp: string }>();

/** Whether this process has computed this digest of a file, which has not changed since. */
export function isKnownBlob(path: string, digest: Digest, stats: BigIntStats): boolean {
  const remembered = known.get(path);
  return remembered?.digest === digest && remembered.stamp === stampOf(stats);
}

/** Notes the digest of a file that was hashed while it was this. */
export function rememberBlob(path: string, digest: Digest, stats: BigIntStats): void {
  known.set(path, { digest, stamp: stampOf(stats) });
}

/** Drops what was noted of a file. */
export function forgetBlob(path: string): void {
  known.delete(path);
}

/** Differs where a file was changed or replaced in between: device, inode, size, and times of change to the nanosecond. */
export function stampOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
}
