import { homedir } from 'node:os';
import type { Context } from './context.ts';

/** The user's own folder: HOME, otherwise that in the system's list of users. Undefined if neither names one. */
export function homeOf(env: Context['env']): string | undefined {
  if (env['HOME']) return env['HOME'];
  try {
    return homedir();
  } catch {
    // Containers often run as a user that the image does not list.
    return undefined;
  }
}
