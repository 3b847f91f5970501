import { join } from 'node:path';
import type { SaveResult } from '../../index.ts';
import { count } from '../../text/count.ts';
import { formatBytes } from '../../text/bytes.ts';
import { makeReports } from '../reports.ts';
import { runSave } from '../saving.ts';
import { makeTemporaryFolder } from '../temporary-folder.ts';
import { runSticky } from '../sticky.ts';
import type { Check, Finding } from './check.ts';
import { examine } from './check.ts';
import type { DoctorInput } from './input.ts';

/** A save that was tried. */
export interface Trial {
  check: Check;
  /** Undefined if it failed. */
  result: SaveResult | undefined;
  /** What the save said on its way. */
  notes: readonly string[];
}

/** Whether the arguments name something to save. */
export function namesImages({ names, options }: DoctorInput): boolean {
  const { iidfile, metadataFile, from } = options;
  return names.length > 0 || [iidfile, metadataFile, from].some((given) => given !== undefined);
}

/**
 * Tries the save into a temporary folder, which is then removed: only that tells the size of the layout and what it
 * omits. Signs nothing, and writes no reports.
 */
export async function trySave({ names, options, context }: DoctorInput): Promise<Trial> {
  const notes: string[] = [];
  const onProgress: typeof context.onProgress = (event) => {
    if (event.kind === 'note') notes.push(event.message);
    context.onProgress(event);
  };
  const trialContext = { ...context, onProgress };
  let result: SaveResult | undefined;
  const check = await examine('images', 'fail', async (facts) => {
    await using folder = await makeTemporaryFolder();
    const out = join(folder.path, 'layout');
    if (options.sticky === true)
      return tryReference({ names, options: { ...options, out }, context: trialContext });
    const { layout, job, result: saved } = await runSave(names, { ...options, out }, trialContext, 'trial');
    if (job !== undefined) await makeReports(layout, job, options, trialContext);
    result = saved;
    Object.assign(facts, { images: saved.images.map(describe), bytes: saved.bytes, notes });
    const { total } = saved.bytes;
    const message = `${count(saved.images.length, 'image')} can be saved: ${formatBytes(total)} of layers`;
    return { status: 'ok', message, facts };
  });
  return { check, result, notes };
}

/** Tries to save references, without a tag in the daemon. */
async function tryReference({ names, options, context }: DoctorInput): Promise<Finding> {
  const { layout, job, result } = await runSticky(names, options, context, 'trial');
  await makeReports(layout, job, options, context);
  const { images, daemon } = result;
  const message = `${count(images.length, 'image')} can be saved as a reference to docker of ${daemon.name}`;
  return { status: 'ok', message, facts: { images, daemon } };
}

function describe({ name, id, layers }: SaveResult['images'][number]): Record<string, unknown> {
  const omitted = layers.filter(({ status }) => status === 'omitted').length;
  return { name, id, layers: layers.length, omitted };
}
