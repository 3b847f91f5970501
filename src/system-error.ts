import type { ErrorFacts } from './errors.ts';
import { DrayageError, isDrayageError } from './errors.ts';

/** The code of a Node system error (`ENOENT`, `ECONNREFUSED`), if `error` is one. */
export function systemCode(error: unknown): string | undefined {
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}

/** The file system's codes in words. */
const DISK_WORDS: Record<string, string> = {
  ENOSPC: 'no space left on the device',
  EDQUOT: 'the disk quota is used up',
  EACCES: 'permission denied',
  EPERM: 'not permitted',
  EROFS: 'the file system is read-only',
  EXDEV: 'the two places are on different file systems or mounts',
  EIO: 'the device failed',
  ENOENT: 'no such file or folder',
  ENOTDIR: 'a part of the path is not a folder',
  EISDIR: 'it is a folder',
  ELOOP: 'too many symbolic links',
};

/** Whether `error` says that there is no such file or folder. */
export function isNoFile(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '');
}

/**
 * The error for a failed call to the file system: `IO`, with its code in words; the code is `facts.actual`. Returns any
 * other error unchanged.
 * @param message what cannot be done
 */
export function diskError(error: unknown, message: string, facts: ErrorFacts = {}): unknown {
  const code = systemCode(error);
  if (code === undefined || isDrayageError(error)) return error;
  const words = DISK_WORDS[code];
  const why = words === undefined ? code : `${words} (${code})`;
  return new DrayageError('IO', `${message}: ${why}`, { ...facts, actual: code, cause: error });
}
