import { editDistance } from '../oci/edit-distance.ts';

/** The maximum number of suggested names. */
const MAX_CANDIDATES = 3;

/** Those of `names` that `wanted` may mean, the nearest first, at most three. */
export function nearestNames(wanted: string, names: Iterable<string>): string[] {
  return [...new Set(names)]
    .map((name) => ({ name, far: remoteness(wanted, name) }))
    .filter(({ far }) => far <= 1)
    .toSorted((a, b) => a.far - b.far || (a.name < b.name ? -1 : 1))
    .slice(0, MAX_CANDIDATES)
    .map(({ name }) => name);
}

/** 0 for equal texts, up to 1 for plausible ones, more for others. */
function remoteness(wanted: string, name: string): number {
  const [a, b] = [repository(wanted), repository(name)];
  const edits = editDistance(a, b);
  const contained = a.length >= 3 && (b.includes(a) || (b.length >= 3 && a.includes(b)));
  const far = contained ? Math.min(1, edits / 100) : edits / Math.max(2, Math.floor(a.length / 3));
  return far <= 1 && a === b ? Math.min(1, editDistance(wanted, name) / 1000) : far;
}

function repository(name: string): string {
  return name.replace(/(?::[^/]*)?$/, '');
}
