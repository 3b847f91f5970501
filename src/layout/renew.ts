import type { ContentOptions } from '../content.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { readDocument } from '../stream/document.ts';
import type { StagedContent } from './staged-content.ts';
import type { StoredContent } from './stored-content.ts';

/**
 * Stages the root of an image that is saved once more, so that it is published anew: the time stamp of its file is the age of
 * the image. The file that is there may be another user's, whose time stamp nobody else can set.
 * @throws {@link DrayageError} what is wrong with the stored root; `IO`, `LINK`
 */
export async function renewRoot(
  staged: StagedContent,
  stored: StoredContent,
  root: Descriptor,
  { signal }: ContentOptions,
): Promise<void> {
  if (staged.get(root.digest) !== undefined) return;
  const bytes = await readDocument(await stored.open(root, { signal }), root);
  const writer = await staged.begin(() => signal?.throwIfAborted());
  try {
    await writer.write(bytes);
    await writer.commit(root);
  } catch (error) {
    await writer.abort();
    throw error;
  }
}
