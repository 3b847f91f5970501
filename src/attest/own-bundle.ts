import { X509Certificate } from 'node:crypto';
import type { Bundle } from '@sigstore/bundle';
import { DrayageError } from '../errors.ts';

/**
 * Looks at a bundle that was just made: that every part which services answered can be read, and that the certificate is for the
 * key that signed. Whether they are to be trusted is for whoever verifies.
 * @throws whatever cannot be read; {@link DrayageError} `MALFORMED`
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
