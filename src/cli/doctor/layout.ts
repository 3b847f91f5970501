import { createLayout, defaultLayout } from '../places.ts';
import { openBaseLayouts } from '../sources.ts';
import type { Check } from './check.ts';
import { examine } from './check.ts';
import type { DoctorInput } from './input.ts';
import { assertWritable, nearest } from '../writable.ts';

/** The layout that a save writes to, and those that it omits layers of. */
export async function checkLayout({ options, context }: DoctorInput): Promise<Check> {
  return examine('layout', 'fail', async (facts) => {
    const { path } = await createLayout(options.out ?? defaultLayout(context.env), context, options);
    const place = await nearest(path);
    Object.assign(facts, { path, exists: place === path });
    await assertWritable(place, '--out');
    await using _ = await openBaseLayouts(options.baseLayout, context);
    return {
      status: 'ok',
      message: `a save writes to ${path}${place === path ? '' : ', which does not exist yet'}`,
      facts,
    };
  });
}
