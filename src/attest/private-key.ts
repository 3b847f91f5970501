import type { KeyObject } from 'node:crypto';
import { createPrivateKey } from 'node:crypto';
import { DrayageError } from '../errors.ts';
import { openCosignKey, wrongPassword } from './cosign-key.ts';

/**
 * Reads a private key: PEM, encrypted or not, or the cosign.key of `cosign generate-key-pair`. It must be ECDSA P-256,
 * RSA of at least 2048 bits, or Ed25519. Errors contain no part of it, or of the password.
 * @throws {@link DrayageError} `USAGE` if a password is missing or wrong; `MALFORMED`, `UNSUPPORTED`
 */
export async function loadPrivateKey(pem: string, password?: string): Promise<KeyObject> {
  const key = /-----BEGIN ENCRYPTED (?:SIGSTORE|COSIGN) PRIVATE KEY-----/.test(pem)
    ? fromDer(await openCosignKey(pem, password))
    : fromPem(pem, password);
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  const isKnown =
    (type === 'ec' && details?.namedCurve === 'prime256v1') ||
    (type === 'rsa' && (details?.modulusLength ?? 0) >= 2048) ||
    type === 'ed25519';
  if (isKnown) return key;
  throw new DrayageError('UNSUPPORTED', `keys of the kind ${type ?? 'unknown'} are not supported`, {
    hint: 'use ECDSA P-256, as cosign generate-key-pair makes, RSA of 2048 bits or more, or Ed25519',
  });
}

function fromDer(der: Buffer): KeyObject {
  try {
    return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  } catch {
    throw unreadable();
  }
}

/** OpenSSL's message is dropped: it may contain parts of the key. */
function fromPem(pem: string, passphrase: string | undefined): KeyObject {
  const isEncrypted = /ENCRYPTED/.test(pem);
  try {
    return createPrivateKey({
      key: pem,
      format: 'pem',
      passphrase: isEncrypted ? (passphrase ?? '') : undefined,
    });
  } catch {
    throw isEncrypted ? wrongPassword() : unreadable();
  }
}

function unreadable(): DrayageError {
  return new DrayageError('MALFORMED', 'the key file contains no readable private key', {
    hint: 'the file must contain a private key as PEM, or be a cosign.key',
  });
}
