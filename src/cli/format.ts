import type { InspectedLayer, InspectResult, OmittedPart } from '../index.ts';
import { formatBytes } from '../text/bytes.ts';
import { count } from '../text/count.ts';
import { describeKeeper } from '../text/kept.ts';

/** Seconds for people: `0.4 s`. */
export function formatSeconds(seconds: number): string {
  return `${seconds.toFixed(1)} s`;
}

/**
 * How many layers are omitted, and where they are: `2 layers (90 MB of 100 MB): job 4711 of project 12 has them`.
 * @param size stored bytes of all layers of the image, if they are of one
 */
export function describePart(part: OmittedPart, size?: number): string {
  const { layers, bytes } = part;
  const all = size === undefined ? '' : ` of ${formatBytes(size)}`;
  return `${count(layers, 'layer')} (${formatBytes(bytes)}${all}): ${describeKeeper(part)}`;
}

/** Where an absent layer is that may not be distributed: `not distributable and absent: it is at https://layers.example/a`. */
export function describeElsewhere(urls: readonly string[]): string {
  return `not distributable and absent${urls.length > 0 ? `: it is at ${urls.join(', ')}` : ''}`;
}

/** Why the bytes of a layer are not here; undefined if they are. */
export function describeAbsence({
  omitted,
  missing,
  nonDistributable,
}: Pick<InspectedLayer, 'omitted' | 'missing' | 'nonDistributable'>): string | undefined {
  if (nonDistributable !== undefined) return describeElsewhere(nonDistributable.urls);
  if (omitted) return 'omitted';
  return missing ? 'missing' : undefined;
}

/** What `inspect` lists, in sum: one line, and one more if something is missing. */
export function summarize({ images, bytes }: InspectResult): string[] {
  const { stored, unshared, omitted } = bytes;
  const layers = images.flatMap((image) => image.layers);
  const missing = new Set(layers.filter((layer) => layer.missing).map(({ digest }) => digest));
  const omittedText = omitted > 0 ? `, ${formatBytes(omitted)} omitted` : '';
  const sum = `${count(images.length, 'image')}, ${formatBytes(stored)} of layers stored, ${formatBytes(unshared - stored)} saved by sharing${omittedText}`;
  if (missing.size === 0) return [sum];
  return [
    sum,
    `${count(missing.size, 'layer')} missing: the layout is incomplete; drayage verify names what is wrong`,
  ];
}
