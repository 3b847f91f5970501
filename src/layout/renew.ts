import type { ContentOptions } from '../content/source.ts';
import { writeBlob } from '../content/sink.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { readDocument } from '../stream/document.ts';
import type { StagedContent } from './staged-content.ts';
import type { Staging } from './staging.ts';
import type { StoredContent } from './stored-content.ts';

/** Milliseconds within which saving an image once more changes nothing at all. */
const FRESH = 3_600_000;

/** Where an image is renewed. */
export interface RenewContext extends ContentOptions {
  stored: StoredContent;
  staged: StagedContent;
  staging: Staging;
}

/**
 * Stages the root of an image that is saved once more, so that it is published anew: the time stamp of its file is the age of
 * the image, to the hour. The file that is there may be another user's, whose time stamp nobody else can set.
 * @throws {@link DrayageError} what is wrong with the stored root; `IO`, `LINK`
 */
export async function renewRoot(
  root: Descriptor,
  { stored, staged, staging, signal }: RenewContext,
): Promise<void> {
  if (staged.get(root.digest) !== undefined) return;
  const written = await stored.writtenAt(root.digest);
  if (written !== undefined && (await staging.now()) - written.getTime() < FRESH) return;
  const bytes = await readDocument(await stored.open(root, { signal }), root);
  await writeBlob(await staged.begin(() => signal?.throwIfAborted()), [bytes], root);
}
