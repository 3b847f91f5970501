import pLimit from 'p-limit';
import type { ContentOptions, ContentSource } from '../content/source.ts';
import { DrayageError, isAbsentOrDamaged } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { LayoutIndex } from '../oci/image-index.ts';
import { formatLayoutIndex } from '../oci/image-index.ts';
import { dockerManifest } from './docker-manifest.ts';
import { changeEntries } from '../listing/changes.ts';
import type { OpenedFor } from './layout-files.ts';
import { checkLayoutFile, folderState, readLayoutIndex, unsafeFolder } from './layout-files.ts';
import { inExisting } from '../disk/below.ts';
import type { Lock } from './lock.ts';
import { makeLayout, markLayout, publishBlobs } from './publish.ts';
import { incomplete, reach } from '../image/reach.ts';
import { renewRoot } from './renew.ts';
import { prepareReplacement } from './replacement.ts';
import { readSmallFile } from './small-file.ts';
import type { Staging } from './staging.ts';
import { together } from '../stream/together.ts';
import type { StoredContent } from './stored-content.ts';
import type { Transaction } from './transaction.ts';
import { Undo } from './undo.ts';
import { DOCKER_MANIFEST_FILE, INDEX_FILE } from '../oci/layout.ts';

/** How many stored blobs are hashed at a time. */
const HASHED_AT_ONCE = 4;

/** All that the images of a transaction need, by digest. */
type Needed = ReadonlyMap<Digest, Descriptor>;

/** The input of a commit. */
export interface CommitContext extends ContentOptions {
  stored: StoredContent;
  staging: Staging;
  transaction: Transaction;
}

/**
 * The part of a commit before the lock: determines what the added images need, and checks that all of it is present and
 * intact.
 * @throws {@link DrayageError} `INCOMPLETE` naming what is missing or damaged
 */
export async function prepareCommit(context: CommitContext): Promise<Needed> {
  const { transaction, signal } = context;
  const needed = new Map<Digest, Descriptor>();
  for (const change of transaction.changes) {
    if (change.kind !== 'add') continue;
    for (const descriptor of await reach(transaction, change.root, change.annotations, { signal }))
      needed.set(descriptor.digest, descriptor);
    await renewRoot(change.root, { ...context, staged: transaction.staged });
  }
  await checkNeeded(context, needed);
  for (const digest of needed.keys()) await transaction.staged.synced(digest);
  return needed;
}

/**
 * Applies a transaction to a layout whose lock is held. It takes effect when index.json is replaced. After a failure
 * everything is undone, unless the lock was lost.
 */
export async function commit(
  context: CommitContext,
  needed: Needed,
  lock: Lock,
  openedFor: OpenedFor,
): Promise<void> {
  const undo = new Undo();
  try {
    await openForWriting(context, lock, openedFor, undo);
    // Already hashed: this only checks whether a file was removed or changed since.
    await checkNeeded(context, needed);
    await apply(context, needed, lock, undo);
  } catch (error) {
    // Without the lock, published files may belong to an index.json that another process wrote meanwhile. Leftover
    // blobs do no harm: no blob is trusted before it is hashed.
    if (await lock.isHeld()) await undo.run();
    throw error;
  }
}

async function openForWriting(
  { stored: { root }, staging }: CommitContext,
  lock: Lock,
  openedFor: OpenedFor,
  undo: Undo,
): Promise<void> {
  const state = await folderState(root);
  if (state === 'unmarked' && openedFor === 'adopt') await markLayout(root, staging, undo);
  else if (state === 'layout' || openedFor !== 'create') await checkLayoutFile(root);
  else if (state === 'other' || state === 'unmarked') throw unsafeFolder(root);
  else await makeLayout(root, staging, lock, undo);
}

async function apply(context: CommitContext, needed: Needed, lock: Lock, undo: Undo): Promise<void> {
  const { stored, staging, transaction, signal } = context;
  const { root } = stored;
  const before = await readLayoutIndex(root);
  const after = { ...before, manifests: changeEntries(before.manifests, transaction.changes, root) };
  const roots = transaction.changes.flatMap((change) => (change.kind === 'add' ? [change.root.digest] : []));
  const publish = (): Promise<void> =>
    publishBlobs(root, transaction.staged, { blobs: needed.values(), renewed: new Set(roots) }, undo);
  await replaceEntries({ stored, staging, source: transaction, signal }, before, after, {
    lock,
    undo,
    publish,
  });
}

/**
 * Replaces index.json, and manifest.json, which follows from it. Both are on disk before either changes. There is no
 * manifest.json in between, so a kill does not leave one that differs from index.json.
 * @param steps `publish` moves what the new index.json needs into place
 */
export async function replaceEntries(
  { stored, staging, source, signal }: Omit<CommitContext, 'transaction'> & { source: ContentSource },
  before: LayoutIndex,
  after: LayoutIndex,
  { lock, undo, publish }: { lock: Lock; undo: Undo; publish?: () => Promise<void> },
): Promise<void> {
  const { root } = stored;
  const docker = await dockerManifest(source, after.manifests, { signal });
  const { hide, show } = await prepareDockerManifest(staging, root, docker);
  const replaceIndex = await prepareReplacementOfIndex(staging, root, before, after);
  await publish?.();
  await lock.assertHeld();
  signal?.throwIfAborted();
  await hide(undo);
  await replaceIndex(undo);
  await show(undo);
  await inExisting(root, [], (folder) => folder.sync());
}

type Step = (undo: Undo) => Promise<void>;

const nothing: Step = async () => {};

async function prepareDockerManifest(
  staging: Staging,
  root: string,
  bytes: Buffer | undefined,
): Promise<{ hide: Step; show: Step }> {
  const before = await readSmallFile(root, DOCKER_MANIFEST_FILE);
  if (bytes !== undefined && before?.equals(bytes) === true) return { hide: nothing, show: nothing };
  const hide = await prepareReplacement(staging, root, DOCKER_MANIFEST_FILE, undefined);
  if (bytes === undefined) return { hide, show: nothing };
  return { hide, show: await prepareReplacement(staging, root, DOCKER_MANIFEST_FILE, bytes) };
}

async function prepareReplacementOfIndex(
  staging: Staging,
  root: string,
  before: LayoutIndex,
  after: LayoutIndex,
): Promise<(undo: Undo) => Promise<void>> {
  const text = formatLayoutIndex(after);
  // A file with the same entries in another spelling is not rewritten.
  if (text === formatLayoutIndex(before)) return async () => {};
  return prepareReplacement(staging, root, INDEX_FILE, Buffer.from(text));
}

/** Checks that everything needed is staged, or stored and intact: by its digest, never by its size alone. */
async function checkNeeded({ transaction, stored, signal }: CommitContext, needed: Needed): Promise<void> {
  const check = async (descriptor: Descriptor, either: AbortSignal): Promise<void> => {
    const { digest, size: expected } = descriptor;
    const staged = transaction.staged.get(digest);
    if (staged === undefined) return stored.verify(descriptor, { signal: either });
    const { size: actual } = staged.descriptor;
    if (actual === expected) return undefined;
    throw new DrayageError('SIZE_MISMATCH', `blob ${digest} has ${actual} bytes`, {
      expected,
      actual,
      digest,
    });
  };
  try {
    await together([...needed.values()], signal, check, pLimit(HASHED_AT_ONCE));
  } catch (error) {
    const root = transaction.changes.find((change) => change.kind === 'add')?.root;
    if (root === undefined || !isAbsentOrDamaged(error)) throw error;
    throw incomplete(root, error);
  }
}
