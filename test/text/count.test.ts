import { expect, test } from 'vitest';
import { count } from '../../src/text/count.ts';

test.each([
  [count(0, 'layer'), '0 layers'],
  [count(1, 'layer'), '1 layer'],
  [count(2, 'entry', 'entries'), '2 entries'],
])('%s', (text, expected) => {
  expect(text).toBe(expected);
});
