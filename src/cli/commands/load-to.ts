import type { ImagePlace, OpenBase, Selection } from '../../index.ts';
import { isError } from '../../errors.ts';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { DrayageError, exportArchive, joinPlaces, save } from '../../index.ts';
import type { Context, Outcome } from '../context.ts';
import type { LockTimeoutOptions } from '../places.ts';
import { createLayout } from '../places.ts';
import type { Target } from '../target.ts';
import { writeFileWhole } from '../output-file.ts';

/** The selected layouts, images and platform. */
export interface Choice extends Selection {
  from: ImagePlace[];
  openBase: OpenBase;
}

/** Writes the chosen images where `--to` says, instead of into a daemon. */
export async function writeTo(
  target: Target,
  all: Choice,
  options: LockTimeoutOptions,
  context: Context,
): Promise<Outcome> {
  const choice = { ...all, as: target.name };
  if (target.kind === 'layout') return writeLayout(target.path, choice, options, context);
  const archive = await exportArchive({ ...choice, format: target.format });
  if (target.kind === 'stdout') {
    await writeToStdout(archive, context);
    return { json: {}, text: [], quiet: [] };
  }
  await writeFileWhole(target.path, archive, context.signal);
  return { json: { archive: target.path }, text: [`${target.path}: written`], quiet: [] };
}

async function writeToStdout(archive: Readable, { stdout, signal }: Context): Promise<void> {
  try {
    await pipeline(archive, stdout, { signal, end: false });
  } catch (cause) {
    if (!(isError(cause) && 'code' in cause && cause.code === 'EPIPE')) throw cause;
    throw new DrayageError('IO', 'the reader of standard output stopped before the end of the archive', {
      cause,
    });
  }
}

async function writeLayout(
  path: string,
  { from, ...choice }: Choice,
  options: LockTimeoutOptions,
  context: Context,
): Promise<Outcome> {
  const to = await createLayout(path, context, options);
  const { images: saved, seconds } = await save({
    ...choice,
    from: joinPlaces(from),
    to,
  });
  return {
    json: { layout: path, images: saved, seconds },
    text: saved.map(({ name, digest }) => `${path}: ${name ?? digest}`),
    quiet: saved.map(({ ref }) => ref),
  };
}
