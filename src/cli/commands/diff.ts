import type { ConfigDifference, DiffLayer, DiffResult, DiffSide } from '../../index.ts';
import type { CommonOptions, Context, Outcome } from '../context.ts';
import { count, formatBytes } from '../format.ts';
import { library } from '../library.ts';
import { isFolder, parseNotation } from '../notation.ts';
import { openLayout } from '../places.ts';

/** Options of `drayage diff`. */
export interface DiffCommandOptions extends CommonOptions {
  image?: string[];
}

/** `drayage diff` */
export async function diffLayouts(
  [a, b]: readonly [string, string],
  options: DiffCommandOptions,
  context: Context,
): Promise<Outcome> {
  const { diff } = await library();
  const sides = [await openSide(a, options, context), await openSide(b, options, context)] as const;
  const result = await diff({ a: sides[0], b: sides[1], signal: context.signal });
  return {
    json: { a, b, ...result },
    text: describe(result, a, b),
    quiet: [...result.layers.onlyA, ...result.layers.onlyB].map(({ diffId }) => diffId),
  };
}

/** A layout, or one image of it: `DIR` or `oci:DIR:NAME`. */
async function openSide(text: string, options: DiffCommandOptions, context: Context): Promise<DiffSide> {
  const { path, image } = await parseNotation(text);
  await isFolder(path);
  const place = await openLayout(path, context);
  return { place, images: image === undefined ? options.image : [image] };
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
      `${mark} ${diffId}  ${formatBytes(size)}  ${createdBy ?? ''}`.trimEnd(),
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
