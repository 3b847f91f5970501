import { randomBytes } from 'node:crypto';
import { lstat, mkdir, readdir, rename, rm, rmdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { DrayageError, systemCode } from '../errors.ts';
import { Heartbeat } from './heartbeat.ts';
import { attempt, ifThere, onDisk, toDiskError } from './io-error.ts';
import { untilNotExclusive } from './lock.ts';
import { look } from './safe-path.ts';

/** The staging folder of a layout that cannot have it beside itself. */
export const INNER_HOME = '.drayage-tmp';

const PREFIX = 'tx-';
const LEASE = 'lease';
const BEAT_INTERVAL = 30_000;
/** A transaction that was silent for so long, in milliseconds, is gone. */
const STALE_AFTER = 600_000;
const ATTEMPTS = 100;

/**
 * The private folder of one transaction, on the layout's file system but outside of what becomes the artifact. A lease
 * file in it says that its owner is at work; folders whose owner is gone are removed by whoever comes next.
 */
export class Staging {
  /** Folder that all transactions on this layout share; the lock is in it. */
  readonly home: string;
  /** Folder of this transaction alone. */
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
   * Makes a staging folder for a layout, which need not exist yet, and sweeps abandoned ones. Waits while somebody removes
   * content of the layout.
   * @throws {@link DrayageError} `IO`, `LINK`
   */
  static async open(layout: string, signal?: AbortSignal): Promise<Staging> {
    const madeParents = await makeParents(dirname(layout));
    try {
      // Whoever made the same parents removes them when he is done, if they are empty at that moment.
      const path = await makeFolder(layout, () =>
        attempt(async () => madeParents.push(...(await makeParents(dirname(layout))))),
      );
      const lease = await startLease(path);
      const staging = new Staging(layout, path, lease, madeParents);
      await attempt(() => staging.#sweep());
      // The lease is there: whoever removes content now sees it, or is seen here.
      for (const home of homesOf(layout)) await staging.#untilAllowed(home, signal);
      return staging;
    } catch (error) {
      await removeEmpty(madeParents);
      throw error;
    }
  }

  /** A path in the staging folder that nobody else uses. */
  newPath(label: string): string {
    this.#count += 1;
    return join(this.path, `${this.#count}-${label}`);
  }

  /** The time by the file system's clock, in milliseconds. */
  async now(): Promise<number> {
    return this.#lease.beat();
  }

  /** The staging folders of others that are at work on the layout, or were until ten minutes ago. */
  async others(): Promise<string[]> {
    const now = await this.#lease.beat();
    const found: string[] = [];
    for (const home of homesOf(this.#layout)) {
      const names = (await ifThere(home, 'read the folder', () => readdir(home))) ?? [];
      for (const path of names.filter((name) => name.startsWith(PREFIX)).map((name) => join(home, name))) {
        const last = path === this.path ? undefined : await lastSign(path);
        if (last !== undefined && now - last <= STALE_AFTER) found.push(path);
      }
    }
    return found;
  }

  /** Removes the folder with all that is in it, and the shared one where it is empty. */
  async remove(): Promise<void> {
    await this.#lease.stop();
    await attempt(() => rm(this.path, { recursive: true, force: true, maxRetries: 3 }));
    // An empty lock is nobody's; one that is held is not empty and stays.
    await removeEmpty([join(this.home, 'lock')]);
    await removeEmpty([this.home, ...this.#madeParents]);
  }

  async #untilAllowed(home: string, signal: AbortSignal | undefined): Promise<void> {
    try {
      await untilNotExclusive(home, () => this.#lease.beat(), signal);
    } catch (error) {
      await this.remove();
      throw error;
    }
  }

  async #sweep(): Promise<void> {
    const now = await this.#lease.beat();
    for (const name of await readdir(this.home)) {
      const path = join(this.home, name);
      if (!name.startsWith(PREFIX) || path === this.path) continue;
      const last = await lastSign(path);
      if (last !== undefined && now - last > STALE_AFTER) await rm(path, { recursive: true, force: true });
    }
  }
}

/** Where staging folders of a layout may be: beside it, or in it. */
function homesOf(layout: string): [outer: string, inner: string] {
  return [join(dirname(layout), `.${basename(layout)}.drayage`), join(layout, INNER_HOME)];
}

/** When a transaction was last seen at work, by the file system's clock. */
async function lastSign(path: string): Promise<number | undefined> {
  const lease = join(path, LEASE);
  const stats =
    (await ifThere(lease, 'look at', () => lstat(lease))) ??
    (await ifThere(path, 'look at', () => lstat(path)));
  return stats?.mtimeMs;
}

/**
 * Makes `<home>/tx-<random>` in the first place that takes it and from which files can be moved into the layout.
 * @param remakeParents makes the folder that the layout is in once more
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
 * Tries whether the file system moves things from a staging folder into the layout: it does not from one mount to another,
 * though both may be of one device. The name that is tried is the one that a layout may have in it anyway.
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
    // Whatever else is wrong comes out when something is published, if anything is.
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
      // Somebody who was done has just removed the empty folder, and maybe those above it.
      if (systemCode(error) === 'ENOENT' && i < ATTEMPTS) {
        await remakeParents?.();
        continue;
      }
      await removeEmpty([home]);
      throw toDiskError(error, 'make the folder', home);
    }
  }
}

/** Makes a folder and those above it. Returns the ones that were made, innermost first. */
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
