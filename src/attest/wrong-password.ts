import { DrayageError } from '../errors.ts';

/** The error for an encrypted key that a password does not open. */
export function wrongPassword(): DrayageError {
  return new DrayageError('USAGE', 'the private key is encrypted, and the password does not open it', {
    hint: 'set COSIGN_PASSWORD, as a masked variable',
  });
}
