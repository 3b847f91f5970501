/** The maximum number of suggestions by {@link nearestNames}. */
const MAX_CANDIDATES = 3;

/** Texts by how near they are to one that was asked for, the nearest first; at most `count`. */
export function nearest(wanted: string, texts: Iterable<string>, count: number = 10): string[] {
  return byDistance(texts, (text) => editDistance(wanted, text)).slice(0, count);
}

/** Those of many names that `wanted` may mean, the nearest first; at most three. */
export function nearestNames(wanted: string, names: Iterable<string>): string[] {
  return byDistance(names, (name) => remoteness(wanted, name), 1).slice(0, MAX_CANDIDATES);
}

function byDistance(texts: Iterable<string>, distance: (text: string) => number, max = Infinity): string[] {
  return [...new Set(texts)]
    .map((text) => ({ text, far: distance(text) }))
    .filter(({ far }) => far <= max)
    .toSorted((a, b) => a.far - b.far || (a.text < b.text ? -1 : 1))
    .map(({ text }) => text);
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
