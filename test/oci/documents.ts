import { expect } from 'vitest';
import type { ErrorCode } from '../../src/errors.ts';
import { DrayageError } from '../../src/errors.ts';

/** The sha256 digest `sha256:<this digit, 64 times>`. */
export function fakeDigest(digit: string): `sha256:${string}` {
  return `sha256:${digit.repeat(64)}`;
}

/** A value as the bytes of a document. */
export function json(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}

/** The {@link DrayageError} that `action` throws, with this code. */
export function thrown(code: ErrorCode, action: () => unknown): DrayageError {
  let result: unknown;
  try {
    result = action();
  } catch (error) {
    if (!(error instanceof DrayageError)) throw error;
    expect(error.code).toBe(code);
    return error;
  }
  throw new Error(`no error, but ${JSON.stringify(result)}`);
}
