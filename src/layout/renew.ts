import type { ContentOptions } from '../content/source.ts';
import { writeBlob } from '../content/sink.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { readDocument } from '../stream/document.ts';
import { isAlive } from './heartbeat.ts';
import type { StagedContent } from './staged-content.ts';
import type { Staging } from './staging.ts';
import type { StoredContent } from './stored-content.ts';

/** Saving an image again within this time changes nothing, in milliseconds. */
const FRESH = 3_600_000;

/** The input of {@link renewRoot}. */
export interface RenewContext extends ContentOptions {
  stored: StoredContent;
  staged: StagedContent;
  staging: Staging;
}

/**
 * Stages the root of an image that is saved again, so that its file is replaced: the file's modification time is the
 * age of the image, to the hour. The existing file may belong to another user, and only its owner can set its time.
 * @throws {@link DrayageError} errors of the stored root; `IO`, `LINK`
 */
export async function renewRoot(
  root: Descriptor,
  { stored, staged, staging, signal }: RenewContext,
): Promise<void> {
  if (staged.get(root.digest) !== undefined) return;
  const written = await stored.writtenAt(root.digest);
  if (written !== undefined && isAlive(written.getTime(), await staging.now(), FRESH)) return;
  const bytes = await readDocument(await stored.open(root, { signal }), root);
  await writeBlob(await staged.begin(() => signal?.throwIfAborted()), [bytes], root);
}
