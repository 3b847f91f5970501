import { DrayageError, isDrayageError } from '../index.ts';

/** Where something that the user gave is. */
export interface GivenPlace {
  /** The option, for messages: `--key`. */
  option: string;
  /** The path of its file; undefined if the option holds the text itself. */
  path?: string | undefined;
}

/** Interprets what the user gave. An error about the content names its file, or its option for a text in there. */
export async function interpretGiven<T>(
  { path, option }: GivenPlace,
  interpret: () => Promise<T>,
): Promise<T> {
  try {
    return await interpret();
  } catch (error) {
    if (!isDrayageError(error)) throw error;
    throw new DrayageError(error.code, `${path ?? option}: ${error.message}`, { path, ...error.facts });
  }
}
