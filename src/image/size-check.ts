import type { ContentOptions, ContentSource } from '../content/source.ts';
import { DrayageError } from '../errors.ts';
import type { Footprint } from './footprint.ts';
import { footprint } from './footprint.ts';
import { formatBytes } from '../text/bytes.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { OnProgress } from '../progress.ts';

/** The maximum size of images together. */
export interface SizeLimits extends ContentOptions {
  /** Above this size, in bytes, the images are refused; default: never. */
  maxSize?: number | undefined;
  /** Above this size, in bytes, a note warns; default: never. */
  warnSize?: number | undefined;
  onProgress?: OnProgress | undefined;
}

/** How many of the largest layers are named. */
const NAMED = 3;

/**
 * Compares the size of images together with limits, and names the instructions that made the largest layers.
 * @throws {@link DrayageError} `LIMIT`
 */
export async function checkSize(
  source: ContentSource,
  roots: readonly Descriptor[],
  { maxSize = Infinity, warnSize = Infinity, onProgress, signal }: SizeLimits,
): Promise<void> {
  if (maxSize === Infinity && warnSize === Infinity) return;
  const taken = await footprint(source, roots, { signal });
  if (taken.bytes > maxSize) {
    throw new DrayageError(
      'LIMIT',
      `the layout would take ${formatCompared(taken.bytes, maxSize)}, more than ${formatCompared(maxSize, taken.bytes)}`,
      {
        expected: maxSize,
        actual: taken.bytes,
        reason: 'LAYOUT_SIZE',
        hint: largest(taken),
      },
    );
  }
  if (taken.bytes <= warnSize) return;
  const message = `the layout takes ${formatCompared(taken.bytes, warnSize)}, and artifacts may be limited to ${formatCompared(warnSize, taken.bytes)}; ${largest(taken)}`;
  onProgress?.({ kind: 'note', message });
}

function largest({ layers }: Footprint): string {
  const named = layers.slice(0, NAMED).map(({ digest, size, createdBy }) => {
    return `${(createdBy ?? digest).slice(0, 80)} (${formatBytes(size)})`;
  });
  return `the largest layers are ${named.join(', ')}`;
}

/** A size that is compared with another one: exact if both would look the same. */
function formatCompared(bytes: number, other: number): string {
  const text = formatBytes(bytes);
  return text === formatBytes(other) ? `${bytes} B` : text;
}
