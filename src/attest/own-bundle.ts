import { X509Certificate } from 'node:crypto';
import type { Bundle } from '@sigstore/bundle';
import { DrayageError } from '../errors.ts';

/**
 * Checks a new bundle: that the parts from services are readable, and that the certificate is for the key that signed.
 * Whether they are trusted is decided by the verifier.
 * @throws errors of unreadable parts; {@link DrayageError} `MALFORMED`
 */
export async function assertSound(bundle: Bundle): Promise<void> {
  const { toSignedEntity } = await import('@sigstore/verify');
  const entity = toSignedEntity(bundle);
  const { content } = bundle.verificationMaterial;
  if (content.$case !== 'certificate') return;
  const { publicKey } = new X509Certificate(content.certificate.rawBytes);
  if (entity.signature.verifySignature(publicKey)) return;
  throw new DrayageError(
    'MALFORMED',
    'the certificate authority certified another key than the one that signed',
  );
}
