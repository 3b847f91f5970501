import type { ErrorFacts } from './errors.ts';
import { DrayageError, isDrayageError, isError } from './errors.ts';

/** The code of a Node system error (`ENOENT`, `ECONNREFUSED`), if `error` is one. */
export function systemCode(error: unknown): string | undefined {
  const code: unknown = isError(error) && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}

/** The file system's codes in words. */
const DISK_WORDS: Readonly<Record<string, string>> = {
  ENOSPC: 'no space left on the device',
  EDQUOT: 'the disk quota is used up',
  EACCES: 'permission denied',
  EPERM: 'not permitted',
  EROFS: 'the file system is read-only',
  EXDEV: 'the two places are on different file systems or mounts',
  EIO: 'the device failed',
  ENXIO: 'it is a socket or an absent device',
  ENOENT: 'no such file or folder',
  ENOTDIR: 'a part of the path is not a folder',
  EISDIR: 'it is a folder',
  ELOOP: 'too many symbolic links',
  ENAMETOOLONG: 'the path is too long',
  EEXIST: 'something is there already',
  ENOTEMPTY: 'the folder is not empty',
  EBUSY: 'it is in use',
  EMFILE: 'too many open files',
  ENFILE: 'too many open files',
  ENOTSUP: 'the file system does not support that',
  ESTALE: 'the network file system has lost it',
};

/** Whether `error` says that there is no such file or folder. */
export function isNoFile(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '');
}

/**
 * Result of a call on a path; undefined if there is no such file or folder. Any other failure is an error: what cannot
 * be looked at is not absent.
 * @param message what cannot be done
 * @throws {@link DrayageError} `IO`
 */
export async function unlessAbsent<T>(
  call: Promise<T>,
  message: string,
  facts: ErrorFacts = {},
): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (isNoFile(error)) return undefined;
    throw diskError(error, message, facts);
  }
}

/**
 * The error for a failed call to the file system: `IO`, with its code in words; the code is `facts.actual`. Returns any
 * other error unchanged.
 * @param message what cannot be done
 */
export function diskError(error: unknown, message: string, facts: ErrorFacts = {}): unknown {
  return inWords('IO', error, message, facts);
}

/**
 * The same for a file that somebody has named: `NOT_FOUND` if there is none.
 * @param message what cannot be done
 */
export function fileError(error: unknown, message: string, facts: ErrorFacts = {}): unknown {
  return inWords(isNoFile(error) ? 'NOT_FOUND' : 'IO', error, message, facts);
}

function inWords(kind: 'IO' | 'NOT_FOUND', error: unknown, message: string, facts: ErrorFacts): unknown {
  const code = systemCode(error);
  if (code === undefined || isDrayageError(error)) return error;
  return new DrayageError(kind, `${message}: ${systemReason(error)}`, {
    ...facts,
    actual: code,
    cause: error,
  });
}

/** What an error of the system says, in words and with its code; Node's words for a code that is not known here. */
export function systemReason(error: unknown): string {
  const code = systemCode(error) ?? '';
  // `EBADF: bad file descriptor, read`
  const [, described] = (isError(error) && /^E[A-Z\d]+: ([^,]+)/.exec(error.message)) || [];
  const words = DISK_WORDS[code] ?? described;
  return words === undefined ? code : `${words} (${code})`;
}
