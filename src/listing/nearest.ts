import { editDistance } from '../oci/edit-distance.ts';

/** The texts that are nearest to the requested one, the nearest first; at most `count`. */
export function nearest(wanted: string, texts: Iterable<string>, count: number = 10): string[] {
  return [...new Set(texts)]
    .map((text) => ({ text, far: editDistance(wanted, text) }))
    .toSorted((a, b) => a.far - b.far || (a.text < b.text ? -1 : 1))
    .slice(0, count)
    .map(({ text }) => text);
}
