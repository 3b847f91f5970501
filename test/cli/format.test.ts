import { expect, test } from 'vitest';
import { formatSeconds } from '../../src/cli/format.ts';

test.each([
  [formatSeconds(0.44), '0.4 s'],
  [formatSeconds(61), '61.0 s'],
])('%s', (text, expected) => {
  expect(text).toBe(expected);
});
