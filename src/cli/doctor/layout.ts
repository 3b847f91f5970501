import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DrayageError } from '../../index.ts';
import { createLayout, defaultLayout } from '../places.ts';
import { openBaseLayouts } from '../sources.ts';
import type { Check } from './check.ts';
import { examine } from './check.ts';
import type { DoctorInput } from './input.ts';

/** The layout that a save writes to, and those that it omits layers of. */
export async function checkLayout({ options, context }: DoctorInput): Promise<Check> {
  return examine('layout', 'fail', async (facts) => {
    const { path } = await createLayout(options.out ?? defaultLayout(context.env), context, options);
    const place = await nearest(path);
    Object.assign(facts, { path, exists: place === path });
    await assertWritable(place);
    await using _ = await openBaseLayouts(options.baseLayout, context);
    return {
      status: 'ok',
      message: `a save writes to ${path}${place === path ? '' : ', which does not exist yet'}`,
      facts,
    };
  });
}

/** The path, or the nearest folder above it that exists. */
async function nearest(path: string): Promise<string> {
  const isThere = await stat(path).then(
    () => true,
    () => false,
  );
  return isThere || dirname(path) === path ? path : nearest(dirname(path));
}

async function assertWritable(path: string): Promise<void> {
  try {
    await access(path, constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw new DrayageError('IO', `${path} is not writable`, {
      path,
      cause,
      hint: 'choose another folder with --out, or run as its owner',
    });
  }
}
