import type { ErrorFacts } from './errors.ts';
import { DrayageError, isDrayageError, isError } from './errors.ts';

/** The code of a Node system error (`ENOENT`, `ECONNREFUSED`), if `error` is one. */
export function systemCode(error: unknown): string | undefined {
  const code: unknown = isError(error) && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}

const FREE = 'free some space and try again';
const PERMISSION = 'change the permissions, or run as a user who has them';
const ELSEWHERE = 'name another place';
const DEVICE = 'check the device: the log of the system says more';

/** The codes of calls to the file system: what each means, and what to do about it if the message alone does not say it. */
const DISK: Readonly<Record<string, readonly [words: string, hint?: string]>> = {
  ENOSPC: ['no space left on the device', FREE],
  EDQUOT: ['the disk quota is used up', FREE],
  EACCES: ['permission denied', PERMISSION],
  EPERM: ['not permitted', PERMISSION],
  EROFS: ['the file system is read-only', 'name a place on another file system'],
  EXDEV: ['the two places are on different file systems or mounts', 'name places on the same one'],
  EIO: ['the device failed', DEVICE],
  ENXIO: ['it is a socket, or a device that is absent', ELSEWHERE],
  ENODEV: ['it is no file that can be used like this', ELSEWHERE],
  ENOENT: ['no such file or folder'],
  ENOTDIR: ['a part of the path is not a folder'],
  EISDIR: ['it is a folder'],
  ELOOP: ['too many symbolic links', 'name what the links lead to'],
  ENAMETOOLONG: ['the path is too long', 'name a shorter one'],
  EEXIST: ['something is there already', ELSEWHERE],
  ENOTEMPTY: ['the folder is not empty', ELSEWHERE],
  EBUSY: ['it is in use', 'try again when nothing uses it'],
  ETXTBSY: ['it is a program that is running', 'try again when it has ended'],
  EMFILE: ['too many open files', 'raise the limit of this process: ulimit -n 4096'],
  ENFILE: ['too many open files', 'the limit is that of the whole system: end other processes, or raise it'],
  EFBIG: [
    'the file is too large for the file system, or for a limit',
    'see ulimit -f, or name another place',
  ],
  EPIPE: ['its reader has closed it'],
  ENOTSUP: ['the file system does not support that', ELSEWHERE],
  EOPNOTSUPP: ['the file system does not support that', ELSEWHERE],
  ESTALE: ['the network file system has lost it', 'try again'],
};

/** Whether `error` says that there is no such file or folder. */
export function isNoFile(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '');
}

/**
 * The error for a failed call to the file system: `IO`, with its code in words; the code is `facts.actual`. Returns any
 * other error unchanged.
 * @param message what cannot be done
 * @param facts their hint takes the place of the one for the code
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
  const hint = facts.hint ?? DISK[code]?.[1];
  return new DrayageError(kind, `${message}: ${systemReason(error)}`, {
    ...facts,
    hint,
    actual: code,
    cause: error,
  });
}

/** What an error of the system says, in words and with its code; Node's words for a code that is not known here. */
export function systemReason(error: unknown): string {
  const code = systemCode(error) ?? '';
  // `EBADF: bad file descriptor, read`
  const [, described] = (isError(error) && /^E[A-Z\d]+: ([^,]+)/.exec(error.message)) || [];
  const words = DISK[code]?.[0] ?? described;
  return words === undefined ? code : `${words} (${code})`;
}
