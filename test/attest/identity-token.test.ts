import { describe, expect, test } from 'vitest';
import { readIdentityToken, withoutToken } from '../../src/attest/identity-token.ts';
import type { DrayageError } from '../../src/errors.ts';
import { identityToken } from '../support/fake-sigstore.ts';

const NOW = new Date();

function refused(text: string | undefined): DrayageError {
  try {
    readIdentityToken(text, NOW);
  } catch (error) {
    return error as DrayageError;
  }
  throw new Error('it was taken');
}

describe('an identity token', () => {
  test('for sigstore, or for sigstore among others, is taken', () => {
    expect(readIdentityToken(identityToken(), NOW).issuer).toBe('https://gitlab.example');
    const several = { aud: ['other', 'sigstore'] } as unknown as Record<string, string>;
    expect(readIdentityToken(identityToken(several), NOW)).toBeDefined();
  });

  const past = Math.floor(NOW.getTime() / 1000) - 60;
  test.each([
    ['that is not set', undefined, 'not set'],
    ['that is empty', '', 'not set'],
    ['of another form', 'glpat-secret-secret-secret', 'not a JWT'],
    ['with a line break', `${identityToken()}\n`, 'not a JWT'],
    ['of two parts', identityToken().split('.').slice(1).join('.'), 'not a JWT'],
    ['whose payload is no JSON', 'e30.c2VjcmV0.c2VjcmV0', 'not a JWT'],
    ['for somebody else', identityToken({ aud: 'https://gitlab.example' }), 'audience'],
    ['that has expired', identityToken({ exp: past }), 'expired'],
    ['that never expires', identityToken({ exp: 'never' }), 'when it expires'],
    ['of nobody', identityToken({ sub: '' }), 'whose'],
    ['that is longer than any', `e30.${'a'.repeat(20_000)}.e30`, 'not a JWT'],
  ])('%s is refused, and nothing of it is told', (_, text, why) => {
    const error = refused(text);
    expect([error.code, error.message]).toEqual(['USAGE', expect.stringContaining(why)]);
    for (const part of (text ?? '').split('.').filter((secret) => secret.length > 3)) {
      expect(`${error.stack} ${error.hint}`).not.toContain(part);
    }
  });

  test('is taken out of texts, whole and in part', () => {
    const token = readIdentityToken(identityToken(), NOW);
    const [, payload = ''] = token.token.split('.');
    expect(withoutToken(`got ${token.token} and ${payload}!`, token)).toBe('got [token] and [token]!');
  });
});
