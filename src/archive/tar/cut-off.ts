import { DrayageError } from '../../errors.ts';
import { appendedMessage } from './daemon-message.ts';
import type { TailReader } from './tail-reader.ts';

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
