import { PassThrough } from 'node:stream';
import type { Context } from '../../src/cli/context.ts';

/** What a command sees of a process with these variables, and the notes that it makes. */
export function contextOf(env: Context['env'] = {}): Context & { notes: string[] } {
  const notes: string[] = [];
  return {
    env,
    stdin: new PassThrough(),
    stdout: new PassThrough(),
    signal: new AbortController().signal,
    onProgress: (event) => void (event.kind === 'note' && notes.push(event.message)),
    notes,
  };
}
