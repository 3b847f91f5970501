import { scrypt } from 'node:crypto';
import { promisify } from 'node:util';
import * as v from 'valibot';
import { DrayageError } from '../errors.ts';
import { parseSecretJson } from '../oci/json.ts';
import { checkDocument } from '../oci/parse.ts';

/** cosign's derivation, N = 65536, takes 64 MiB; a file may require at most twice that. */
const MAX_MEMORY = 128 * 1024 * 1024;

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(1));
const bytes = v.pipe(v.string('it is no text'), v.maxLength(16 * 1024), v.base64('it is not base64'));
const keySchema = v.looseObject({
  kdf: v.looseObject({
    name: v.literal('scrypt'),
    params: v.looseObject({
      N: v.pipe(
        count,
        v.check((n) => Number.isInteger(Math.log2(n)), 'N is no power of two'),
      ),
      r: v.pipe(count, v.maxValue(32)),
      p: v.pipe(count, v.maxValue(4)),
    }),
    salt: bytes,
  }),
  cipher: v.looseObject({ name: v.literal('nacl/secretbox'), nonce: bytes }),
  ciphertext: bytes,
});

const derive = promisify<Buffer, Buffer, number, object, Buffer>(scrypt);

/**
 * Decrypts the private key that `cosign generate-key-pair` wrote: scrypt over the password, XSalsa20 and Poly1305 over
 * PKCS #8.
 * @returns PKCS #8 in DER
 * @throws {@link DrayageError} `USAGE` for a wrong password; `MALFORMED`; `LIMIT` for a derivation that requires too
 * much
 */
export async function openCosignKey(pem: string, password = ''): Promise<Buffer> {
  const body = /-----BEGIN [A-Z ]+-----([\sA-Za-z0-9+/=]+)-----END/.exec(pem)?.[1] ?? '';
  const what = 'the encrypted private key';
  const document = parseSecretJson(Buffer.from(body, 'base64'), what);
  const { kdf, cipher, ciphertext } = checkDocument(keySchema, document, what, { isSecret: true });
  const { N, r, p } = kdf.params;
  const maxmem = 128 * N * r + 4096 * r * p;
  if (maxmem > MAX_MEMORY + MAX_MEMORY / 8) {
    throw new DrayageError('LIMIT', `decrypting the private key needs ${maxmem} bytes`, {
      expected: MAX_MEMORY,
      actual: maxmem,
    });
  }
  const nonce = Buffer.from(cipher.nonce, 'base64');
  const box = Buffer.from(ciphertext, 'base64');
  const { default: nacl } = await import('tweetnacl');
  const { nonceLength, keyLength } = nacl.secretbox;
  if (nonce.length !== nonceLength) {
    throw new DrayageError('MALFORMED', `the encrypted private key has a nonce of ${nonce.length} bytes`);
  }
  const salt = Buffer.from(kdf.salt, 'base64');
  const key = await derive(Buffer.from(password), salt, keyLength, { N, r, p, maxmem: 2 * maxmem });
  const opened = nacl.secretbox.open(box, nonce, key);
  if (opened === null) throw wrongPassword();
  return Buffer.from(opened);
}

/** The error for an encrypted key that the password does not open. */
export function wrongPassword(): DrayageError {
  return new DrayageError('USAGE', 'the private key is encrypted, and the password does not open it', {
    hint: 'set COSIGN_PASSWORD, as a masked variable',
  });
}
