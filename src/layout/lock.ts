import { randomUUID } from 'node:crypto';
import { lstat, mkdir, readdir, rename, rm, rmdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { DrayageError } from '../errors.ts';
import { systemCode } from '../system-error.ts';
import { Heartbeat, isAlive } from './heartbeat.ts';
import { attempt, ifThere, onDisk, toDiskError } from '../disk/io-error.ts';
import { look } from '../disk/below.ts';
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
  home: string,
  aside: string,
  { exclusive = false, ...options }: LockOptions = {},
): Promise<Lock> {
  const path = join(home, LOCK);
  const id = (exclusive ? EXCLUSIVE : '') + randomUUID();
  const prepared = join(aside, `lock-${id}`);
  await onDisk(prepared, 'make the folder', () => mkdir(prepared));
  const heartbeat = await Heartbeat.start(join(prepared, id), BEAT_INTERVAL);
  try {
    const wait = new Wait(path, options);
    while (!(await take(prepared, path))) {
      options.signal?.throwIfAborted();
      if (!(await breakAbandoned(path, await heartbeat.beat()))) await wait.pause();
    }
  } catch (error) {
    await heartbeat.stop();
    throw error;
  }
  return heldLock(path, id, heartbeat);
}

/**
 * Waits while somebody holds the exclusive lock of a staging folder.
 * @param now returns the file system's time
 * @throws {@link DrayageError} `LOCKED` when the time is up
 */
export async function untilNotExclusive(
  home: string,
  now: () => Promise<number>,
  options: WaitOptions = {},
): Promise<void> {
  const path = join(home, LOCK);
  const wait = new Wait(path, options);
  while (await isExclusive(path, now)) await wait.pause();
}

/**
 * Removes the lock of a staging folder if its holder is gone.
 * @param now the file system's time
 */
export async function removeAbandonedLock(home: string, now: number): Promise<void> {
  const path = join(home, LOCK);
  if (await breakAbandoned(path, now)) await attempt(() => rmdir(path));
}

async function isExclusive(path: string, now: () => Promise<number>): Promise<boolean> {
  const names = (await ifThere(path, 'read the folder', () => readdir(path))) ?? [];
  for (const file of names.filter((name) => name.startsWith(EXCLUSIVE)).map((name) => join(path, name))) {
    const stats = await ifThere(file, 'look at', () => lstat(file));
    if (stats !== undefined && isAlive(stats.mtimeMs, await now(), STALE_AFTER)) return true;
  }
  return false;
}

function heldLock(path: string, id: string, heartbeat: Heartbeat): Lock {
  const isThere = async (): Promise<boolean> => (await look(join(path, id), 'file')) !== undefined;
  return {
    async assertHeld() {
      if (!(await isThere())) {
        throw new DrayageError(
          'LOCKED',
          `the lock ${path} was taken over: this process was silent for too long`,
          { path },
        );
      }
    },
    async isHeld() {
      return isThere().catch(() => false);
    },
    async release() {
      await heartbeat.stop();
      await attempt(() => unlink(join(path, id)));
      await attempt(() => rmdir(path));
    },
  };
}

async function take(prepared: string, path: string): Promise<boolean> {
  try {
    await rename(prepared, path);
    return true;
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOTEMPTY' || code === 'EEXIST') return false;
    if (code === 'ENOTDIR') await look(path, 'folder');
    throw toDiskError(error, 'take the lock', path);
  }
}

/** Removes the files of abandoned holders from the lock. Returns whether the lock may be free now. */
async function breakAbandoned(path: string, now: number): Promise<boolean> {
  const names = await ifThere(path, 'read the folder', () => readdir(path));
  let freed = names === undefined || names.length === 0;
  for (const name of names ?? []) {
    const file = join(path, name);
    const stats = await ifThere(file, 'look at', () => lstat(file));
    if (stats !== undefined && isAlive(stats.mtimeMs, now, STALE_AFTER)) continue;
    await onDisk(file, 'remove', () => rm(file, { recursive: true, force: true }));
    freed = true;
  }
  return freed;
}
