import type { SavedImage, SaveResult, SignResult } from '../../index.ts';
import type { Context, Outcome } from '../context.ts';
import { formatSeconds } from '../format.ts';
import { count } from '../../text/count.ts';
import { formatBytes } from '../../text/bytes.ts';
import { writeReports } from '../reports.ts';
import type { SaveCommandOptions } from '../save-request.ts';
import { runSave } from '../saving.ts';
import { describeSigned } from '../signed-images.ts';
import { NO_NAME } from '../../text/no-name.ts';

/** `drayage save` */
export async function saveImages(
  names: readonly string[],
  options: SaveCommandOptions,
  context: Context,
): Promise<Outcome> {
  if (options.sticky === true) return saveReferences(names, options, context);
  const { layout, job, result, signed } = await runSave(names, options, context);
  if (job !== undefined) await writeReports(layout, job, options, context);
  return describe(result, signed);
}

/** `drayage save --sticky` */
async function saveReferences(
  names: readonly string[],
  options: SaveCommandOptions,
  context: Context,
): Promise<Outcome> {
  const { runSticky } = await import('../sticky.ts');
  const { layout, job, result, signed } = await runSticky(names, options, context);
  await writeReports(layout, job, options, context);
  const { images, daemon, seconds } = result;
  return {
    json: { ...result, ...(signed && { signed: signed.images }) },
    text: [
      ...images.map(({ name, id, ref }) => `${name ?? NO_NAME}: ${id}, stays in the daemon as ${ref}`),
      ...(signed === undefined ? [] : describeSigned(signed)),
      `${result.layout}: ${count(images.length, 'reference')} to docker of ${daemon.name}, no layer read, in ${formatSeconds(seconds)}`,
    ],
    quiet: images.map(({ ref }) => ref),
  };
}

function describe(result: SaveResult, signed: SignResult | undefined): Outcome {
  const { layout, images, seconds } = result;
  const { total, written, omitted } = result.bytes;
  const leftOut = omitted === 0 ? '' : `, ${formatBytes(omitted)} omitted`;
  return {
    json: { ...result, ...(signed && { signed: signed.images }) },
    text: [
      ...images.map(describeImage),
      ...(signed === undefined ? [] : describeSigned(signed)),
      `${layout}: ${formatBytes(total)} of layers, ${formatBytes(written)} new${leftOut}, in ${formatSeconds(seconds)}`,
    ],
    quiet: images.map(({ ref }) => ref),
  };
}

function describeImage({ name, id, layers }: SavedImage): string {
  const reused = layers.filter(({ status }) => status === 'reused').length;
  const omitted = layers.filter(({ status }) => status === 'omitted').length;
  const leftOut = omitted === 0 ? '' : `, ${omitted} omitted`;
  return `${name ?? NO_NAME}: ${id}, ${count(layers.length, 'layer')}, ${reused} of them already there${leftOut}`;
}
