import { contentsOf } from '../image/contents.ts';
import { statedOmission } from '../image/omitted-layers.ts';
import { reachable } from '../image/reachable.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { readLayoutIndex } from './layout-files.ts';
import type { AloneContext } from './sweep.ts';
import { assertAllRead, assertAlone, removeBlobs } from './sweep.ts';

/**
 * Removes those of these blobs that no image needs: nothing in index.json leads to them, except images that omit them. The
 * lock is held, and no other process is at work.
 * @throws {@link DrayageError} `LOCKED` if the lock was lost or others are at work; errors of unreadable documents: then
 * nothing was removed
 */
export async function discard(context: AloneContext, digests: ReadonlySet<Digest>): Promise<void> {
  const { stored, staging } = context;
  const index = await readLayoutIndex(stored.root);
  assertAllRead(index, stored.root);
  const needed = await neededBy(index.manifests, context);
  await assertAlone(staging);
  await removeBlobs(
    context,
    [...digests].filter((digest) => !needed.has(digest)),
  );
}

/** All that entries lead to, without the layers that they omit, present or not. */
async function neededBy(
  entries: readonly Descriptor[],
  { stored, signal }: AloneContext,
): Promise<Set<Digest>> {
  const needed = await reachable(
    stored,
    entries.filter((entry) => !omits(entry)),
    { signal },
  );
  for (const root of entries.filter(omits)) {
    const { annotations } = root;
    const { documents, blobs } = await contentsOf(stored, root, { annotations, asStated: true, signal });
    for (const { digest } of [...documents.map(({ descriptor }) => descriptor), ...blobs]) needed.add(digest);
  }
  return needed;
}

function omits({ annotations = {} }: Descriptor): boolean {
  return statedOmission(annotations) !== undefined;
}
