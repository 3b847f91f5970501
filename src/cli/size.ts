import { DrayageError } from '../index.ts';

const UNITS: Record<string, number> = { '': 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12 };

/** Parses a number of bytes: `500MB`, `1.5 GB`, `2000000`. */
export function parseSize(text: string): number {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?) ?(?:([kMGT])B?|B)?$/.exec(text) ?? [];
  if (number !== undefined) return Math.round(Number(number) * (UNITS[unit] ?? 1));
  throw new DrayageError('USAGE', `not a size: ${text}`, { hint: 'examples: 500MB, 10GB' });
}
