import { randomBytes } from 'node:crypto';
import { lstat, mkdir, readdir, rename, rm, rmdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { DrayageError } from '../errors.ts';
import { systemCode } from '../system-error.ts';
import { Heartbeat, isAlive } from './heartbeat.ts';
import { attempt, ifThere, onDisk, toDiskError } from '../disk/io-error.ts';
import { removeAbandonedLock, untilNotExclusive } from './lock.ts';
import { look } from '../disk/below.ts';
import type { WaitOptions } from './wait.ts';

/** The staging folder of a layout that cannot have it beside itself. */
export const INNER_HOME = '.drayage-tmp';

const PREFIX = 'tx-';
const LEASE = 'lease';
const BEAT_INTERVAL = 30_000;
/** A transaction that was silent for this long, in milliseconds, is gone. */
const STALE_AFTER = 600_000;
const ATTEMPTS = 100;

/**
 * The private folder of one transaction, on the layout's file system but outside of the artifact. A lease file in it
 * proves that its owner is alive. The next process removes folders whose owner is gone.
 */
export class Staging {
  /** The folder that all transactions of this layout share; it contains the lock. */
  readonly home: string;
  /** The folder of this transaction. */
  readonly path: string;
  readonly #layout: string;
  readonly #lease: Heartbeat;
  readonly #madeParents: string[];
  #count = 0;

  private constructor(layout: string, path: string, lease: Heartbeat, madeParents: string[]) {
    this.#layout = layout;
    this.home = dirname(path);
    this.path = path;
    this.#lease = lease;
    this.#madeParents = madeParents;
  }

  /**
   * Makes a staging folder for a layout, which need not exist yet, and removes abandoned ones. Waits while another
   * process removes content of the layout.
   * @throws {@link DrayageError} `LOCKED` if that takes too long; `IO`, `LINK`
   */
  static async open(layout: string, options: WaitOptions = {}): Promise<Staging> {
    const madeParents = await makeParents(dirname(layout));
    try {
      // Another process that made the same parents removes them when it ends, if they are empty then.
      const path = await makeFolder(layout, () =>
        attempt(async () => madeParents.push(...(await makeParents(dirname(layout))))),
      );
      const lease = await startLease(path);
      const staging = new Staging(layout, path, lease, madeParents);
      for (const home of homesOf(layout)) await attempt(() => staging.#sweep(home));
      // The lease exists now: a process that removes content sees it, or is seen here.
      for (const home of homesOf(layout)) await staging.#untilAllowed(home, options);
      return staging;
    } catch (error) {
      await removeEmpty(madeParents);
      throw error;
    }
  }

  /** A new path in the staging folder. */
  newPath(label: string): string {
    this.#count += 1;
    return join(this.path, `${this.#count}-${label}`);
  }

  /** The file system's time, in milliseconds. */
  async now(): Promise<number> {
    return this.#lease.beat();
  }

  /** The staging folders of other processes that are at work on the layout, or were within the last ten minutes. */
  async others(): Promise<string[]> {
    const now = await this.#lease.beat();
    const found: string[] = [];
    for (const home of homesOf(this.#layout)) {
      const names = (await ifThere(home, 'read the folder', () => readdir(home))) ?? [];
      for (const path of names.filter((name) => name.startsWith(PREFIX)).map((name) => join(home, name))) {
        const last = path === this.path ? undefined : await lastSign(path);
        if (last !== undefined && isAlive(last, now, STALE_AFTER)) found.push(path);
      }
    }
    return found;
  }

  /** Removes the folder with its content, and the shared one if it is empty. */
  async remove(): Promise<void> {
    await this.#lease.stop();
    await attempt(() => rm(this.path, { recursive: true, force: true, maxRetries: 3 }));
    // An empty lock belongs to nobody. A held lock is not empty, and stays.
    await removeEmpty([join(this.home, 'lock')]);
    await removeEmpty([this.home, ...this.#madeParents]);
  }

  async #untilAllowed(home: string, options: WaitOptions): Promise<void> {
    try {
      await untilNotExclusive(home, () => this.#lease.beat(), options);
    } catch (error) {
      await this.remove();
      throw error;
    }
  }

  /** Removes what processes that are gone have left in a home. An artifact may have brought the inner one along. */
  async #sweep(home: string): Promise<void> {
    const now = await this.#lease.beat();
    if ((await look(home, 'folder')) === undefined) return;
    for (const name of await readdir(home)) {
      const path = join(home, name);
      if (!name.startsWith(PREFIX) || path === this.path) continue;
      const last = await lastSign(path);
      if (last !== undefined && !isAlive(last, now, STALE_AFTER))
        await rm(path, { recursive: true, force: true });
    }
    await removeAbandonedLock(home, now);
    if (home !== this.home) await removeEmpty([home]);
  }
}

/** The possible staging homes of a layout: beside it, or in it. */
function homesOf(layout: string): [outer: string, inner: string] {
  return [join(dirname(layout), `.${basename(layout)}.drayage`), join(layout, INNER_HOME)];
}

/** When a transaction was last seen alive, in the file system's time. */
async function lastSign(path: string): Promise<number | undefined> {
  const lease = join(path, LEASE);
  const stats =
    (await ifThere(lease, 'look at', () => lstat(lease))) ??
    (await ifThere(path, 'look at', () => lstat(path)));
  return stats?.mtimeMs;
}

/**
 * Makes `<home>/tx-<random>` in the first home that is writable and from which files can be moved into the layout.
 * @param remakeParents makes the parent folder of the layout again
 */
async function makeFolder(layout: string, remakeParents: () => Promise<void>): Promise<string> {
  const [outer, inner] = homesOf(layout);
  const stats = await look(layout, 'folder');
  if (stats === undefined) return makeIn(outer, remakeParents);
  const parent = await onDisk(dirname(layout), 'look at', () => stat(dirname(layout), { bigint: true }));
  if (parent.dev !== stats.dev) return makeIn(inner);
  try {
    const path = await makeIn(outer, remakeParents);
    if (await canMove(path, layout)) return path;
    await removeEmpty([path, outer]);
    return makeIn(inner);
  } catch (error) {
    const refused =
      error instanceof DrayageError && ['EACCES', 'EPERM', 'EROFS'].includes(String(error.facts.actual));
    if (!refused) throw error;
    return makeIn(inner);
  }
}

/**
 * Tests whether the file system moves files from a staging folder into the layout. It refuses between two mounts, even
 * of one device. The test uses a name that a layout may contain anyway.
 */
async function canMove(path: string, layout: string): Promise<boolean> {
  const probe = join(path, 'probe');
  const target = join(layout, INNER_HOME);
  try {
    await mkdir(probe);
    await rename(probe, target);
    await attempt(() => rmdir(target));
  } catch (error) {
    await removeEmpty([probe]);
    // Publishing reports any other failure, if anything is published.
    return systemCode(error) !== 'EXDEV';
  }
  return true;
}

async function startLease(path: string): Promise<Heartbeat> {
  try {
    return await Heartbeat.start(join(path, LEASE), BEAT_INTERVAL);
  } catch (error) {
    await removeEmpty([path, dirname(path)]);
    throw error;
  }
}

async function makeIn(home: string, remakeParents?: () => Promise<void>): Promise<string> {
  const path = join(home, PREFIX + randomBytes(8).toString('hex'));
  for (let i = 0; ; i++) {
    try {
      await mkdir(home).catch((error: unknown) => {
        if (systemCode(error) !== 'EEXIST') throw error;
      });
      await look(home, 'folder');
      await mkdir(path);
      return path;
    } catch (error) {
      // Another process has just removed the empty folder, and perhaps its parents.
      if (systemCode(error) === 'ENOENT' && i < ATTEMPTS) {
        await remakeParents?.();
        continue;
      }
      await removeEmpty([home]);
      throw toDiskError(error, 'make the folder', home);
    }
  }
}

/** Makes a folder and its parents. Returns those that were made, innermost first. */
async function makeParents(folder: string): Promise<string[]> {
  const first = await onDisk(folder, 'make the folder', () => mkdir(folder, { recursive: true }));
  if (first === undefined) return [];
  const made = [folder];
  for (let path = folder; path !== first && path !== dirname(path);) {
    path = dirname(path);
    made.push(path);
  }
  return made;
}

async function removeEmpty(folders: readonly string[]): Promise<void> {
  for (const folder of folders) await attempt(() => rmdir(folder));
}
