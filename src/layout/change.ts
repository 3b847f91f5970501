import type { StoreTransaction } from '../content/store.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { commit, prepareCommit } from './commit.ts';
import { discard } from './discard.ts';
import type { OpenedFor } from './layout-files.ts';
import { folderState } from './layout-files.ts';
import { acquireLock } from './lock.ts';
import { Staging } from './staging.ts';
import type { StoredContent } from './stored-content.ts';
import type { AloneContext, SweptBlobs } from './sweep.ts';
import { sweep } from './sweep.ts';
import { Transaction } from './transaction.ts';
import type { WaitOptions } from './wait.ts';

/** The layout that a change is made to. Changes are loaded with the first one: most programs read only. */
export interface ChangedLayout {
  stored: StoredContent;
  openedFor: OpenedFor;
}

/** See {@link Layout.update}. */
export async function update<T>(
  layout: ChangedLayout,
  work: (transaction: StoreTransaction) => Promise<T>,
  options: WaitOptions,
): Promise<T> {
  const { signal } = options;
  return inStaging(layout, options, async (staging) => {
    const transaction = new Transaction(staging, layout.stored, signal);
    try {
      const result = await work(transaction);
      signal?.throwIfAborted();
      await commitChanges(layout, staging, transaction, options);
      return result;
    } finally {
      await transaction.close();
    }
  });
}

/** See {@link Layout.prune}. */
export async function prune(
  layout: ChangedLayout,
  choose: (entries: readonly Descriptor[]) => Promise<readonly Descriptor[]>,
  { dryRun, ...options }: WaitOptions & { dryRun: boolean },
): Promise<SweptBlobs> {
  return alone(layout, options, (context) => sweep({ ...context, dryRun }, choose));
}

/** See {@link Layout.discard}. */
export async function discardBlobs(
  layout: ChangedLayout,
  digests: ReadonlySet<Digest>,
  options: WaitOptions,
): Promise<void> {
  await alone(layout, options, (context) => discard(context, digests));
}

/** Runs work while no other process may change the layout. */
async function alone<T>(
  layout: ChangedLayout,
  options: WaitOptions,
  work: (context: AloneContext) => Promise<T>,
): Promise<T> {
  return inStaging(layout, options, async (staging) => {
    const lock = await acquireLock(staging.home, staging.folder, { ...options, exclusive: true });
    try {
      return await work({ stored: layout.stored, staging, lock, signal: options.signal });
    } finally {
      await lock.release();
    }
  });
}

async function commitChanges(
  { stored, openedFor }: ChangedLayout,
  staging: Staging,
  transaction: Transaction,
  options: WaitOptions,
): Promise<void> {
  const isThere = (await folderState(stored.root)) === 'layout';
  if (isThere && transaction.changes.length === 0) return;
  const context = { stored, staging, transaction, signal: options.signal };
  const needed = await prepareCommit(context);
  const lock = await acquireLock(staging.home, staging.folder, options);
  try {
    await commit(context, needed, lock, openedFor);
  } finally {
    await lock.release();
  }
}

async function inStaging<T>(
  { stored }: ChangedLayout,
  options: WaitOptions,
  work: (staging: Staging) => Promise<T>,
): Promise<T> {
  const staging = await Staging.open(stored.root, options);
  try {
    return await work(staging);
  } finally {
    await staging.remove();
  }
}
