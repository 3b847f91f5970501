import type { InputBytes } from '../disk/input.ts';
import { openInput, openStandardInput } from '../disk/input.ts';
import { DrayageError } from '../index.ts';
import type { Context } from './context.ts';
import { isStream } from './notation.ts';

/** An archive, and what errors call it. */
export interface ArchiveInput {
  archive: InputBytes;
  name: string;
}

/** Stands for the standard input of the process among those that were opened. */
const OWN = {};
/** Standard inputs that a source reads: what has passed does not come again. */
const taken = new WeakSet<object>();

/**
 * Opens an archive: a file, or standard input as `-`.
 * @throws {@link DrayageError} `NOT_FOUND`, `IO`; `USAGE` if standard input is named twice
 */
export async function openArchiveInput(
  path: string,
  { stdin }: Pick<Context, 'stdin'>,
): Promise<ArchiveInput> {
  if (!isStream(path)) return { archive: await openInput(path), name: path };
  const name = 'standard input';
  if (taken.has(stdin ?? OWN))
    throw new DrayageError('USAGE', `${name} is named twice, and can be read once`, {
      hint: 'write it to a file first',
    });
  taken.add(stdin ?? OWN);
  return { archive: stdin ?? openStandardInput(), name };
}
