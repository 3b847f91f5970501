import { namesBelow } from '../disk/below.ts';
import type { Folder } from '../disk/folder.ts';
import { ignoreErrors, ifThere } from '../disk/io-error.ts';
import { removeTree, unlockFolder } from '../disk/remove-tree.ts';
import { Heartbeat, isAlive, lastBeat } from './heartbeat.ts';
import { removeAbandonedLock, removeEmptyLock, untilNotExclusive } from './lock.ts';
import type { Home, TransactionFolder } from './staging-home.ts';
import {
  homesOf,
  inHome,
  makeParents,
  makeTransactionFolder,
  PREFIX,
  removeEmpty,
  removeEmptyHome,
  removeTransactionFolder,
} from './staging-home.ts';
import type { WaitOptions } from './wait.ts';
import { dirname } from 'node:path';

const LEASE = 'lease';
const BEAT_INTERVAL = 30_000;
/** A transaction that was silent for this long, in milliseconds, is gone. */
const STALE_AFTER = 600_000;

/**
 * The private folder of one transaction, on the layout's file system but outside of the artifact. A lease file in it
 * proves that its owner is alive. The next process removes folders whose owner is gone.
 */
export class Staging {
  /** The folder that all transactions of this layout share; it contains the lock. */
  readonly home: Folder;
  /** The folder of this transaction. */
  readonly folder: Folder;
  readonly #layout: string;
  readonly #made: TransactionFolder;
  readonly #lease: Heartbeat;
  readonly #madeParents: string[];
  #count = 0;

  private constructor(layout: string, made: TransactionFolder, lease: Heartbeat, madeParents: string[]) {
    this.#layout = layout;
    this.home = made.shared;
    this.folder = made.folder;
    this.#made = made;
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
      const made = await makeTransactionFolder(layout, () =>
        ignoreErrors(async () => madeParents.push(...(await makeParents(dirname(layout))))),
      );
      const staging = new Staging(layout, made, await startLease(made), madeParents);
      await staging.#begin(options);
      return staging;
    } catch (error) {
      await removeEmpty(madeParents);
      throw error;
    }
  }

  /** The path of the folder of this transaction. */
  get path(): string {
    return this.folder.path;
  }

  /** A new name in the staging folder. */
  newName(label: string): string {
    this.#count += 1;
    return `${this.#count}-${label}`;
  }

  /** The file system's time, in milliseconds. */
  async now(): Promise<number> {
    return this.#lease.beat();
  }

  /**
   * The staging folders of other processes that are at work on the layout. One that cannot be seen from here counts for ten
   * minutes after its last sign.
   */
  async others(): Promise<string[]> {
    const now = await this.#lease.beat();
    const found: string[] = [];
    for (const home of homesOf(this.#layout))
      await inHome(home, async (shared) => {
        for (const name of await this.#othersIn(shared))
          if (await isAtWork(shared, name, now)) found.push(shared.pathOf(name));
      });
    return found;
  }

  /** Removes the folder with its content, and the shared one if it is empty. */
  async remove(): Promise<void> {
    await this.#lease.stop();
    // An empty lock belongs to nobody. A held lock is not empty, and stays.
    await removeEmptyLock(this.home);
    await removeTransactionFolder(this.#made);
    await removeEmpty(this.#madeParents);
  }

  /** The lease exists now: a process that removes content sees it, or is seen here. */
  async #begin(options: WaitOptions): Promise<void> {
    try {
      for (const home of homesOf(this.#layout)) await ignoreErrors(() => this.#sweep(home));
      for (const home of homesOf(this.#layout))
        await inHome(home, (shared) => untilNotExclusive(shared, () => this.#lease.beat(), options));
    } catch (error) {
      await this.remove();
      throw error;
    }
  }

  /** Removes what processes that are gone have left in a home. An artifact may have brought the inner one along. */
  async #sweep(home: Home): Promise<void> {
    const now = await this.#lease.beat();
    await inHome(home, async (shared) => {
      for (const name of await this.#othersIn(shared))
        await ignoreErrors(async () => (await isAtWork(shared, name, now)) || removeTree(shared, name));
      await removeAbandonedLock(shared, now);
    });
    await removeEmptyHome(home);
  }

  /** The names of other transactions in a home. */
  async #othersIn(shared: Folder): Promise<string[]> {
    const names = await namesBelow(shared, []);
    return names.filter((name) => name.startsWith(PREFIX) && shared.pathOf(name) !== this.path);
  }
}

/** Whether the owner of a transaction was seen alive lately; false if the transaction is gone. */
async function isAtWork(shared: Folder, name: string, now: number): Promise<boolean> {
  const last = (await lastSign(shared, name)) ?? Number.NEGATIVE_INFINITY;
  return isAlive(last, now, STALE_AFTER);
}

/** When a transaction was last seen alive, in the file system's time. */
async function lastSign(shared: Folder, name: string): Promise<number | undefined> {
  const stats = await ifThere(shared.pathOf(name), 'look at', () => shared.stat(name));
  if (stats === undefined || !(await unlockFolder(shared, name))) return undefined;
  await using folder = await shared.folder(name);
  const beat = folder && (await lastBeat(folder, LEASE));
  return beat ?? Number(stats.mtimeMs);
}

async function startLease(made: TransactionFolder): Promise<Heartbeat> {
  try {
    return await Heartbeat.start(made.folder, LEASE, BEAT_INTERVAL);
  } catch (error) {
    await removeTransactionFolder(made);
    throw error;
  }
}
