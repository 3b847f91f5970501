import type { InspectedImage } from '../index.ts';
import { formatBytes } from '../text/bytes.ts';
import { count } from '../text/count.ts';

/** Seconds for people: `0.4 s`. */
export function formatSeconds(seconds: number): string {
  return `${seconds.toFixed(1)} s`;
}

/** Where omitted layers are: `2 layers (90 MB of 100 MB): job 4711 of project 12 has them until 2026-01-01T00:00:00.000Z`. */
export function describePart(
  { where, until, layers, bytes }: InspectedImage['omitted'][number],
  { size }: Pick<InspectedImage, 'size'>,
): string {
  const kept = until === null ? '' : ` until ${until}`;
  return `${count(layers, 'layer')} (${formatBytes(bytes)} of ${formatBytes(size)}): ${where} has them${kept}`;
}
