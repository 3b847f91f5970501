import type { ContentOptions, ContentSource } from '../content/source.ts';
import { DrayageError, isDrayageError, isMismatch } from '../errors.ts';
import { contentsOf } from './contents.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';

/**
 * Everything that an image needs: its documents, which are checked, and its blobs, without omitted and non-distributable
 * layers that are absent.
 * @throws {@link DrayageError} `INCOMPLETE` if a document is missing or damaged; `MALFORMED`, `UNSUPPORTED`, `LIMIT`
 */
export async function reach(
  source: ContentSource,
  root: Descriptor,
  annotations: Record<string, string>,
  { signal }: ContentOptions,
): Promise<Descriptor[]> {
  try {
    const said = { ...root.annotations, ...annotations };
    const { documents, blobs } = await contentsOf(source, root, { annotations: said, signal });
    return [...documents.map(({ descriptor }) => descriptor), ...blobs];
  } catch (error) {
    throw isDrayageError(error, 'NOT_FOUND') || isMismatch(error) ? incomplete(root, error) : error;
  }
}

/** The error for an image that lacks content. */
export function incomplete(root: { digest: Digest }, cause: DrayageError): DrayageError {
  return new DrayageError('INCOMPLETE', `image ${root.digest} is incomplete: ${cause.message}`, {
    ...cause.facts,
    cause,
  });
}
