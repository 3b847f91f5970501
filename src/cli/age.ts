import { DrayageError } from '../index.ts';

const SECOND = 1000;
const UNITS = new Map([
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
  const factor = UNITS.get(unit);
  if (count !== undefined && factor !== undefined) return Number(count) * factor;
  throw new DrayageError('USAGE', `not ${what}: ${JSON.stringify(text)}`, {
    hint: 'a whole number of seconds, minutes, hours or days: 90s, 30m, 24h, 7d',
  });
}
