import { expect, test } from 'vitest';
import { parseAge, parseSize } from '../../src/cli/quantities.ts';
import { thrown } from '../oci/documents.ts';

test.each([
  ['0', 0],
  ['2000000', 2_000_000],
  ['1B', 1],
  ['1.5 GB', 1_500_000_000],
  ['500MB', 500_000_000],
  ['3k', 3000],
  ['1KiB', 1024],
  ['1KB', 1000],
  ['1kiB', 1024],
  ['1MiB', 1_048_576],
  ['8Gi', 8_589_934_592],
  ['1TiB', 1_099_511_627_776],
  ['', undefined],
  ['-1', undefined],
  ['1iB', undefined],
  ['1 PB', undefined],
])('the size %j is %s', (text, bytes) => {
  if (bytes === undefined) thrown('USAGE', () => parseSize(text));
  else expect(parseSize(text)).toBe(bytes);
});

test.each([
  ['90s', 90_000],
  ['7d', 604_800_000],
])('the age %s is %d ms', (text, milliseconds) => {
  expect(parseAge(text)).toBe(milliseconds);
});
