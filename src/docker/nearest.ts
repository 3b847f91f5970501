/** How many names are told at most. */
const MAX_CANDIDATES = 3;

/** Those of `names` that may have been meant by `wanted`, the nearest first, at most three. */
export function nearestNames(wanted: string, names: Iterable<string>): string[] {
  return [...new Set(names)]
    .map((name) => ({ name, far: remoteness(wanted, name) }))
    .filter(({ far }) => far <= 1)
    .toSorted((a, b) => a.far - b.far || (a.name < b.name ? -1 : 1))
    .slice(0, MAX_CANDIDATES)
    .map(({ name }) => name);
}

/** 0 for equal texts, up to 1 for such as can be meant, more for others. */
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

/** How many letters have to be put in, taken out or changed to make one text of the other (Levenshtein). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++) {
      const change = (row[j] ?? 0) + (a[i] === b[j] ? 0 : 1);
      next.push(Math.min(change, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
