import { generateKeyPairSync, randomBytes, scryptSync } from 'node:crypto';
import nacl from 'tweetnacl';
import { describe, expect, test } from 'vitest';
import { loadPrivateKey } from '../../src/attest/private-key.ts';
import type { DrayageError } from '../../src/errors.ts';

const PASSWORD = 'correct horse';
const ec = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey;
const pem = ec.export({ type: 'pkcs8', format: 'pem' }).toString();
const encrypted = ec
  .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: PASSWORD })
  .toString();

/** A key as cosign writes it; with cheap parameters, but for what a test changes. */
function cosignKey(
  change: (document: { kdf: { params: Record<string, number> } }) => void = () => {},
): string {
  const salt = randomBytes(32);
  const nonce = randomBytes(24);
  const key = scryptSync(PASSWORD, salt, 32, { N: 1024, r: 8, p: 1 });
  const ciphertext = nacl.secretbox(ec.export({ type: 'pkcs8', format: 'der' }), nonce, key);
  const document = {
    kdf: { name: 'scrypt', params: { N: 1024, r: 8, p: 1 }, salt: salt.toString('base64') },
    cipher: { name: 'nacl/secretbox', nonce: nonce.toString('base64') },
    ciphertext: Buffer.from(ciphertext).toString('base64'),
  };
  change(document);
  const body = Buffer.from(JSON.stringify(document)).toString('base64');
  return `-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n${body}\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n`;
}

async function refused(text: string, password?: string): Promise<DrayageError> {
  const error = (await loadPrivateKey(text, password).catch((thrown: unknown) => thrown)) as DrayageError;
  const shown = `${error.stack} ${error.hint} ${String(error.cause)}`;
  for (const secret of [password ?? 'no password', pem.split('\n')[1] ?? ''])
    expect(shown).not.toContain(secret);
  return error;
}

describe('a private key', () => {
  test.each([
    ['as PEM', pem, undefined],
    ['as encrypted PEM', encrypted, PASSWORD],
    ['of cosign', cosignKey(), PASSWORD],
    ['of an older cosign', cosignKey().replaceAll('SIGSTORE', 'COSIGN'), PASSWORD],
  ])('%s is read', async (_, text, password) => {
    const key = await loadPrivateKey(text, password);
    expect(key.export({ type: 'pkcs8', format: 'pem' })).toBe(pem);
  });

  test.each([
    ['RSA', generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey],
    ['Ed25519', generateKeyPairSync('ed25519').privateKey],
  ])('of %s is taken', async (_, key) => {
    const text = key.export({ type: 'pkcs8', format: 'pem' }).toString();
    await expect(loadPrivateKey(text)).resolves.toBeDefined();
  });

  test.each([
    ['of cosign with a wrong password', cosignKey(), 'battery staple', 'USAGE'],
    ['of cosign without a password', cosignKey(), undefined, 'USAGE'],
    ['of encrypted PEM with a wrong password', encrypted, 'battery staple', 'USAGE'],
    ['of encrypted PEM without a password', encrypted, undefined, 'USAGE'],
    ['that is none', 'glpat-secret', undefined, 'MALFORMED'],
    ['that is cut', pem.slice(0, 100), undefined, 'MALFORMED'],
    [
      'of a weak kind',
      generateKeyPairSync('rsa', { modulusLength: 1024 })
        .privateKey.export({ type: 'pkcs8', format: 'pem' })
        .toString(),
      undefined,
      'UNSUPPORTED',
    ],
    [
      'of another curve',
      generateKeyPairSync('ec', { namedCurve: 'secp256k1' })
        .privateKey.export({ type: 'pkcs8', format: 'pem' })
        .toString(),
      undefined,
      'UNSUPPORTED',
    ],
    ['that asks for gigabytes', cosignKey(({ kdf }) => (kdf.params['N'] = 2 ** 24)), PASSWORD, 'LIMIT'],
    ['that asks for hours', cosignKey(({ kdf }) => (kdf.params['p'] = 1_000_000)), PASSWORD, 'MALFORMED'],
    [
      'whose parameter is no power of two',
      cosignKey(({ kdf }) => (kdf.params['N'] = 1000)),
      PASSWORD,
      'MALFORMED',
    ],
  ])('%s is refused, and nothing of it is told', async (_, text, password, code) => {
    expect(await refused(text, password)).toMatchObject({ code });
  });
});
