import type { ErrorCode } from '../errors.ts';

/** The code of the error for a status that no retry changes, or for any other that was not expected. */
export function refusalCode(status: number): ErrorCode {
  if (status === 401 || status === 403) return 'DENIED';
  if (status === 404 || status === 410) return 'NOT_FOUND';
  return status >= 400 && status < 500 ? 'REFUSED' : 'UNREACHABLE';
}
