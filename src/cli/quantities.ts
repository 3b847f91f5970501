import { DrayageError } from '../errors.ts';

const SECOND = 1000;
const TIME_UNITS = new Map([
  ['s', SECOND],
  ['m', 60 * SECOND],
  ['h', 3600 * SECOND],
  ['d', 24 * 3600 * SECOND],
]);

/**
 * Parses an age or another time span, `90s`, `30m`, `24h` or `7d`, into milliseconds.
 * @param what it is, for the error
 * @throws {@link DrayageError} `USAGE`
 */
export function parseAge(text: string, what = 'an age'): number {
  const [, count, unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const factor = TIME_UNITS.get(unit);
  if (count !== undefined && factor !== undefined) return Number(count) * factor;
  throw new DrayageError('USAGE', `not ${what}: ${JSON.stringify(text)}`, {
    hint: 'a whole number of seconds, minutes, hours or days: 90s, 30m, 24h, 7d',
  });
}

const SIZE_UNITS: Record<string, number> = { '': 1, k: 1e3, K: 1e3, M: 1e6, G: 1e9, T: 1e12 };

/**
 * Parses a number of bytes: `500MB`, `1.5 GB`, `8GiB`, `2000000`.
 * @throws {@link DrayageError} `USAGE`
 */
export function parseSize(text: string): number {
  const [, number, unit = '', binary] = /^(\d+(?:\.\d+)?) ?(?:([kKMGT])(i?)B?|B)?$/.exec(text) ?? [];
  const factor = SIZE_UNITS[unit] ?? 1;
  // 1 MiB is 1.024 ** 2 MB.
  const correction = binary === 'i' ? 1.024 ** Math.round(Math.log10(factor) / 3) : 1;
  if (number !== undefined) return Math.round(Number(number) * factor * correction);
  throw new DrayageError('USAGE', `not a size: ${text}`, { hint: 'examples: 500MB, 10GB, 8GiB' });
}
