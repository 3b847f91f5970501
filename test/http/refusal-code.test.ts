import { expect, test } from 'vitest';
import { DrayageError } from '../../src/errors.ts';
import { refusalCode } from '../../src/http/refusal-code.ts';

test.each([
  [400, 'REFUSED', false],
  [401, 'DENIED', false],
  [403, 'DENIED', false],
  [404, 'NOT_FOUND', false],
  [405, 'REFUSED', false],
  [409, 'REFUSED', false],
  [410, 'NOT_FOUND', false],
  [413, 'REFUSED', false],
  [418, 'REFUSED', false],
  [500, 'UNREACHABLE', true],
  [503, 'UNREACHABLE', true],
])('a status %i is %s, retryable: %s', (status, code, retryable) => {
  expect(refusalCode(status)).toBe(code);
  expect(new DrayageError(refusalCode(status), 'x').retryable).toBe(retryable);
});
