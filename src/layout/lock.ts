import { randomUUID } from 'node:crypto';
import { DrayageError } from '../errors.ts';
import { systemCode } from '../system-error.ts';
import { Heartbeat, isAlive, lastBeat } from './heartbeat.ts';
import { inFolder, lookBelow, namesBelow, removeBelow } from '../disk/below.ts';
import type { Folder } from '../disk/folder.ts';
import { ignoreErrors, ifThere, toDiskError } from '../disk/io-error.ts';
import { removeTree } from '../disk/remove-tree.ts';
import type { WaitOptions } from './wait.ts';
import { Wait } from './wait.ts';

/** Options of {@link acquireLock}. */
export interface LockOptions extends WaitOptions {
  /** Whether processes that begin to change the layout also wait until it is released. Default false. */
  exclusive?: boolean;
}

/** A held lock. */
export interface Lock {
  /**
   * Checks that nobody took the lock over meanwhile.
   * @throws {@link DrayageError} `LOCKED`
   */
  assertHeld(): Promise<void>;
  /** Whether the lock is known to be still held; false if that cannot be determined. Never throws. */
  isHeld(): Promise<boolean>;
  release(): Promise<void>;
}

const LOCK = 'lock';
/** The prefix of the file name in an exclusive lock. */
const EXCLUSIVE = 'exclusive-';
const BEAT_INTERVAL = 2000;
/** A holder that was silent for this long, in milliseconds, is gone. */
const STALE_AFTER = 20_000;

/**
 * Takes the lock of a staging folder. Waits for its holder.
 *
 * The lock is a folder with one file in it, named at random and refreshed by its holder. It is made elsewhere and
 * renamed into place, which succeeds only if there is no such folder, or an empty one. An abandoned lock is broken by
 * removing that one file by its name. So a process can break only the lock that it found abandoned.
 * @param home the folder of the lock
 * @param aside a folder of the caller, on the same file system
 * @throws {@link DrayageError} `LOCKED` when the time is up; `LINK`, `IO`
 */
export async function acquireLock(
  home: Folder,
  aside: Folder,
  { exclusive = false, ...options }: LockOptions = {},
): Promise<Lock> {
  const id = (exclusive ? EXCLUSIVE : '') + randomUUID();
  const prepared = `lock-${id}`;
  const heartbeat = await prepare(aside, prepared, id);
  try {
    const wait = new Wait(home.pathOf(LOCK), options);
    for (let wasFree = false; !(await take(aside, prepared, home));) {
      options.signal?.throwIfAborted();
      const isFree = await breakAbandoned(home, await heartbeat.beat());
      // One that cannot be taken although it was free, on some file systems, is waited for like one that is held.
      if (!isFree || wasFree) await wait.pause();
      wasFree = isFree;
    }
  } catch (error) {
    await heartbeat.stop();
    throw error;
  }
  return heldLock(home, id, heartbeat);
}

/**
 * Waits while somebody holds the exclusive lock of a staging folder.
 * @param now returns the file system's time
 * @throws {@link DrayageError} `LOCKED` when the time is up
 */
export async function untilNotExclusive(
  home: Folder,
  now: () => Promise<number>,
  options: WaitOptions = {},
): Promise<void> {
  const wait = new Wait(home.pathOf(LOCK), options);
  while (await isExclusive(home, now)) await wait.pause();
}

/**
 * Removes the lock of a staging folder if its holder is gone.
 * @param now the file system's time
 */
export async function removeAbandonedLock(home: Folder, now: number): Promise<void> {
  if (await breakAbandoned(home, now)) await removeEmptyLock(home);
}

/** Removes the lock of a staging folder if it is empty: then it belongs to nobody. */
export async function removeEmptyLock(home: Folder): Promise<void> {
  await ignoreErrors(() => home.removeEmpty(LOCK));
}

async function isExclusive(home: Folder, now: () => Promise<number>): Promise<boolean> {
  const names = await namesBelow(home, [LOCK]);
  for (const name of names.filter((one) => one.startsWith(EXCLUSIVE))) {
    const beat = await inFolder(home, [LOCK], (lock) => lastBeat(lock, name));
    if (beat !== undefined && isAlive(beat, await now(), STALE_AFTER)) return true;
  }
  return false;
}

/** Makes a folder with the holder's file in it, to be renamed into place. */
async function prepare(aside: Folder, name: string, id: string): Promise<Heartbeat> {
  await using prepared = (await aside.ensure(name)).folder;
  return await Heartbeat.start(prepared, id, BEAT_INTERVAL);
}

function heldLock(home: Folder, id: string, heartbeat: Heartbeat): Lock {
  const path = home.pathOf(LOCK);
  const isThere = async (): Promise<boolean> => (await lookBelow(home, [LOCK, id])) !== undefined;
  return {
    async assertHeld() {
      if (await isThere()) return;
      const message = `the lock ${path} was taken over: this process was silent for too long`;
      throw new DrayageError('LOCKED', message, { path });
    },
    async isHeld() {
      return isThere().catch(() => false);
    },
    async release() {
      await heartbeat.stop();
      await ignoreErrors(() => removeBelow(home, [LOCK, id]));
      await removeEmptyLock(home);
    },
  };
}

async function take(aside: Folder, prepared: string, home: Folder): Promise<boolean> {
  try {
    await aside.move(prepared, home, LOCK);
    return true;
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOTEMPTY' || code === 'EEXIST') return false;
    if (code === 'ENOTDIR') await home.look(LOCK, 'folder');
    throw toDiskError(error, 'take the lock', home.pathOf(LOCK));
  }
}

/** Removes the files of abandoned holders from the lock. Returns whether the lock may be free now. */
async function breakAbandoned(home: Folder, now: number): Promise<boolean> {
  await using lock = await home.folder(LOCK);
  const names = lock && (await ifThere(lock.path, 'read the folder', () => lock.rawNames()));
  if (lock === undefined || names === undefined || names.length === 0) return true;
  let freed = false;
  for (const name of names) {
    const beat = await lastBeat(lock, name);
    if (beat !== undefined && isAlive(beat, now, STALE_AFTER)) continue;
    await ifThere(lock.pathOf(name), 'remove', () => removeTree(lock, name));
    freed = true;
  }
  return freed;
}
