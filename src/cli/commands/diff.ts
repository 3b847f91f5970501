import type { ConfigDifference, DiffLayer, DiffResult, DiffSide } from '../../index.ts';
import { diff } from '../../index.ts';
import type { CommonOptions, Context, Outcome } from '../context.ts';
import { count } from '../../text/count.ts';
import { formatBytes } from '../../text/bytes.ts';
import { onlyMeaningful } from '../meaning.ts';
import { folderOf, isArchive, isFolder, parseNotation } from '../notation.ts';
import { openLayout } from '../places.ts';
import type { ImageOptions } from '../selection.ts';
import { unpackArchives } from '../unpack.ts';

/** Options of `drayage diff`. */
export interface DiffCommandOptions extends CommonOptions, ImageOptions {}

/** `drayage diff` */
export async function diffLayouts(
  [a = '', b = '']: readonly string[],
  options: DiffCommandOptions,
  context: Context,
): Promise<Outcome> {
  if (parseNotation(a).image !== undefined && parseNotation(b).image !== undefined)
    onlyMeaningful(options, ['image'], 'with an image on both sides', 'omit it, or omit :NAME');
  await using one = await openSide(a, options, context);
  await using other = await openSide(b, options, context);
  const result = await diff({ a: one, b: other, signal: context.signal, onProgress: context.onProgress });
  return {
    json: { a, b, ...result },
    text: describe(result, a, b),
    quiet: [...result.layers.onlyA, ...result.layers.onlyB].map(({ diffId }) => diffId),
  };
}

/** A layout or an archive, or one image of it: `DIR`, `oci:DIR:NAME`, `oci-archive:FILE`, `docker-archive:FILE:NAME`. */
async function openSide(
  text: string,
  options: DiffCommandOptions,
  context: Context,
): Promise<DiffSide & AsyncDisposable> {
  const { path, image } = parseNotation(text);
  const unpacked = await unpackArchives([text].filter(isArchive), context, options.image);
  const close = { [Symbol.asyncDispose]: () => unpacked[Symbol.asyncDispose]() };
  const [place] = unpacked.places;
  // From an archive, only the named image is unpacked.
  if (place !== undefined)
    return { place, images: image === undefined ? options.image : undefined, ...close };
  await isFolder(path);
  folderOf(path);
  const images = image === undefined ? options.image : [image];
  return { place: await openLayout(path, context), images, ...close };
}

function describe({ layers, bytes, config, images }: DiffResult, a: string, b: string): string[] {
  return [
    ...section(
      `in both: ${count(layers.shared.length, 'layer')}, ${formatBytes(bytes.shared)}`,
      '=',
      layers.shared,
    ),
    ...section(
      `only in ${a}: ${count(layers.onlyA.length, 'layer')}, ${formatBytes(bytes.onlyA)}`,
      '-',
      layers.onlyA,
    ),
    ...section(
      `only in ${b}: ${count(layers.onlyB.length, 'layer')}, ${formatBytes(bytes.onlyB)}`,
      '+',
      layers.onlyB,
    ),
    ...images.onlyA.map((image) => `- ${image}`),
    ...images.onlyB.map((image) => `+ ${image}`),
    ...config.flatMap(describeConfig),
  ];
}

function section(title: string, mark: string, layers: readonly DiffLayer[]): string[] {
  return [
    title,
    ...layers.map(({ diffId, size, createdBy }) =>
      [mark, formatBytes(size).padStart(7), createdBy ?? '', diffId].filter((part) => part !== '').join('  '),
    ),
  ];
}

function describeConfig({ image, path, a, b }: ConfigDifference): string[] {
  return [
    `${image}: ${path}`,
    ...(a === undefined ? [] : [`- ${JSON.stringify(a)}`]),
    ...(b === undefined ? [] : [`+ ${JSON.stringify(b)}`]),
  ];
}
