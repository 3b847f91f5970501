import { relative } from 'node:path';
import { Readable } from 'node:stream';
import type { InspectedImage } from '../../index.ts';
import { daemonTitle, DrayageError, inspect } from '../../index.ts';
import type { CommonOptions, Context, Outcome } from '../context.ts';
import { count } from '../../text/count.ts';
import { formatBytes } from '../../text/bytes.ts';
import { describeAbsence, describePart, summarize } from '../format.ts';
import { openLayouts } from '../places.ts';
import { assertWritable, writeFileWhole } from '../output-file.ts';
import { NO_NAME } from '../../text/no-name.ts';

/** Options of `drayage inspect`. */
export interface InspectCommandOptions extends CommonOptions {
  html?: string;
}

/** `drayage inspect` */
export async function inspectLayouts(
  paths: readonly string[],
  options: InspectCommandOptions,
  context: Context,
): Promise<Outcome> {
  const { html } = options;
  if (html === '-' && options.json === true) {
    throw new DrayageError('USAGE', '--json and --html - both need standard output', {
      hint: 'write the page to a file: --html FILE',
    });
  }
  if (html !== undefined && html !== '-') await assertWritable(html);
  const layouts = await openLayouts(paths, context);
  const result = await inspect({ from: layouts, signal: context.signal, onProgress: context.onProgress });
  const page =
    html === undefined
      ? ''
      : (await import('../html.ts')).formatHtml(
          result,
          layouts.map(({ path }) => relative('', path) || path),
        );
  if (html === '-') {
    const lines = page.trimEnd().split('\n');
    return { json: {}, text: lines, quiet: lines };
  }
  if (html !== undefined) await writeFileWhole(html, Readable.from([page]), context.signal);
  return {
    json: { layouts: layouts.map(({ path }) => path), ...result },
    text: [
      ...result.images.flatMap(describeImage),
      ...summarize(result),
      ...(html === undefined ? [] : [`${html}: written`]),
    ],
    quiet: result.images.map(({ ref }) => ref),
  };
}

function describeImage(image: InspectedImage): string[] {
  return [
    image.names.join(', ') || NO_NAME,
    `  id        ${image.id}`,
    `  digest    ${image.digest}`,
    `  platform  ${image.platform}`,
    image.reference === undefined
      ? `  size      ${formatBytes(image.size)}`
      : `  reference ${count(image.reference.diffIds.length, 'layer')}, all in docker of ${daemonTitle(image.reference.daemon)}`,
    ...image.layers.map(describeLayer),
    ...image.omitted.map((part) => `  omitted   ${describePart(part, image.size)}`),
    ...image.attached.map(
      ({ digest, type, predicateType }) =>
        `  attached  ${digest}  ${predicateType ?? type ?? 'of unknown kind'}`,
    ),
  ];
}

function describeLayer(layer: InspectedImage['layers'][number]): string {
  const { digest, size, sharedBy } = layer;
  const shared = sharedBy > 1 ? `  shared by ${sharedBy}` : '';
  const absence = describeAbsence(layer);
  return `  layer     ${digest}  ${formatBytes(size)}${shared}${absence === undefined ? '' : `  ${absence}`}`;
}
