import { DrayageError } from '../../errors.ts';
import type { TailReader } from './tail-reader.ts';

const APPENDED = /\{\s*"message"\s*:\s*("(?:[^"\\]|\\.)*")\s*\}\s*$/;

/** The error for an archive that ends early: with the message that a daemon appended, if there is one. */
export function truncated(reader: TailReader, where: string): DrayageError {
  return (
    daemonError(reader) ?? new DrayageError('TRUNCATED', `the archive is cut off: it ends inside ${where}`)
  );
}

/** The error for a message that a daemon appended; undefined if there is none. */
export function daemonError(reader: TailReader): DrayageError | undefined {
  const message = appendedMessage(reader.tail());
  if (message === undefined) return undefined;
  return new DrayageError('TRUNCATED', `the daemon broke its archive off: ${message}`, { actual: message });
}

/**
 * The error that a daemon appended to its archive. It answers with status 200 before it knows whether all will go well; what
 * goes wrong after that is written as JSON behind the bytes that are out already.
 * @param tail the last bytes that came
 */
function appendedMessage(tail: Uint8Array): string | undefined {
  const match = APPENDED.exec(Buffer.from(tail).toString('utf8'));
  if (match?.[1] === undefined) return undefined;
  try {
    const message: unknown = JSON.parse(match[1]);
    return typeof message === 'string' ? message : undefined;
  } catch {
    return undefined;
  }
}
