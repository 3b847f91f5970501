import { DrayageError } from '../errors.ts';
import { withoutSecrets } from '../http/address.ts';
import type { Descriptor } from '../oci/descriptor.ts';

/** The error for a redirect that would leave TLS. */
export function unsafeRedirect(from: URL, to: URL): DrayageError {
  return new DrayageError('UNSAFE', `${withoutSecrets(from)} redirects to plain http`, {
    url: withoutSecrets(to),
    hint: 'the storage behind the registry must be reached by https',
  });
}

/** The error for content that a repository does not hold. */
export function notInRepository(repository: string, { digest }: Descriptor, cause?: unknown): DrayageError {
  return new DrayageError('NOT_FOUND', `${repository} has no ${digest}`, {
    digest,
    cause,
    hint: 'it may have been deleted there, or belong to another repository',
  });
}

/** The error for an offset behind the end of content. */
export function outsideOf({ digest, size }: Descriptor, offset: number): DrayageError {
  return new DrayageError('USAGE', `offset ${offset} is outside of blob ${digest}`, {
    expected: size,
    actual: offset,
  });
}

/** The error for an upload that the registry has forgotten, or lost a part of: it can be started again. */
export function uploadLost(repository: string, cause?: unknown): DrayageError {
  return new DrayageError('UNREACHABLE', `${repository} has ended the upload midway`, {
    hint: 'try again',
    cause,
  });
}
