import { expect, test } from 'vitest';
import { formatBytes } from '../../src/text/bytes.ts';

test.each([
  [0, '0 B'],
  [1, '1 B'],
  [999, '999 B'],
  [1000, '1.0 kB'],
  [9949, '9.9 kB'],
  [9950, '10 kB'],
  [35_400_000, '35 MB'],
  [999_499, '999 kB'],
  [999_500, '1.0 MB'],
  [1_200_000_000, '1.2 GB'],
  [3e15, '3000 TB'],
])('%d bytes are %s', (bytes, expected) => {
  expect(formatBytes(bytes)).toBe(expected);
});
