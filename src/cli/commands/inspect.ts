import type { InspectedImage } from '../../index.ts';
import type { Context, Outcome } from '../context.ts';
import { count, formatBytes } from '../format.ts';
import { openLayouts } from '../places.ts';
import { library } from '../library.ts';

/** `drayage inspect` */
export async function inspectLayouts(paths: readonly string[], context: Context): Promise<Outcome> {
  const { inspect } = await library();
  const layouts = await openLayouts(paths, context);
  const result = await inspect({ from: layouts, signal: context.signal });
  const { stored, unshared } = result.bytes;
  return {
    json: { layouts: layouts.map(({ path }) => path), ...result },
    text: [
      ...result.images.flatMap(describeImage),
      `${count(result.images.length, 'image')}, ${formatBytes(stored)} of layers stored, ${formatBytes(unshared - stored)} saved by sharing`,
    ],
    quiet: result.images.map(({ ref }) => ref),
  };
}

function describeImage(image: InspectedImage): string[] {
  return [
    image.names.join(', ') || '(no name)',
    `  id        ${image.id}`,
    `  digest    ${image.digest}`,
    `  platform  ${image.platform}`,
    `  size      ${formatBytes(image.size)}`,
    ...image.layers.map(
      ({ digest, size, sharedBy }) =>
        `  layer     ${digest}  ${formatBytes(size)}${sharedBy > 1 ? `  shared by ${sharedBy}` : ''}`,
    ),
    ...image.attached.map(
      ({ digest, type, predicateType }) =>
        `  attached  ${digest}  ${predicateType ?? type ?? 'of unknown kind'}`,
    ),
  ];
}
