import type { BigIntStats } from 'node:fs';
import { constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { chmod, lstat, mkdir, open, readdir, rename, rmdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { asError, DrayageError } from '../errors.ts';
import { isNoFile, systemCode } from '../system-error.ts';
import { canReachByHandle } from './by-handle.ts';
import { ignoreErrors, ifThere, onDisk, toDiskError } from './io-error.ts';
import type { Kind } from './kind.ts';
import { assertFolder, assertKind } from './kind.ts';

/** Options of {@link Folder.open}. */
export interface OpenFolderOptions {
  /** Whether the last step of the path may be a link. Default false. */
  follow?: boolean;
}

const FOLDER = constants.O_RDONLY | constants.O_DIRECTORY;
/** Opens a folder only to name it: this needs no permission to read it. Linux's O_PATH, which Node has no name for. */
const PATH_ONLY = 0o10_000_000;
/** A name in a folder, or its bytes: what others wrote need not be text. */
export type Name = string | Buffer;

/**
 * An open folder. What is below it is reached through its handle, one name at a time, and no name is followed if it is a
 * link. So it does not matter what others put in the place of the folder, or of one of its parents, after it was opened.
 *
 * This holds on Linux, where `/proc/self/fd/N/name` is relative to a handle, as in `openat`. Elsewhere every step is
 * looked at by its path before it is used.
 *
 * Methods without `@throws` reject with the system's error.
 */
export class Folder implements AsyncDisposable {
  /** The path by which it was opened, for messages. */
  readonly path: string;
  readonly #handle: FileHandle | undefined;
  readonly #way: string;
  #isClosed = false;

  private constructor(path: string, handle: FileHandle | undefined, way: string) {
    this.path = path;
    this.#handle = handle;
    this.#way = way;
  }

  /**
   * Opens a folder. The steps before the last one may be links.
   * @returns undefined if nothing is there
   * @throws {@link DrayageError} `LINK`, `IO`
   */
  static async open(path: string, options: OpenFolderOptions = {}): Promise<Folder | undefined> {
    return Folder.#openAt(path, path, options);
  }

  static async #openAt(
    way: Name,
    path: string,
    { follow = false }: OpenFolderOptions,
  ): Promise<Folder | undefined> {
    const flags = follow ? FOLDER : FOLDER | constants.O_NOFOLLOW;
    try {
      const handle = (await canReachByHandle()) ? await open(way, flags) : undefined;
      if (handle !== undefined) return new Folder(path, handle, `/proc/self/fd/${handle.fd}`);
      await assertFolder(way, path, follow);
      return new Folder(path, undefined, String(way));
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined;
      // A link or a file has several codes in the place of a folder, and one of them in that of a parent.
      const found = await assertFolder(way, path, follow).catch(asError);
      if (isNoFile(found)) return undefined;
      throw toDiskError(found ?? error, 'open the folder', path);
    }
  }

  /** The path of a name in this folder, for messages. */
  pathOf(name: Name): string {
    return join(this.path, String(name));
  }

  /**
   * Opens a folder in this one.
   * @returns undefined if nothing is there
   * @throws {@link DrayageError} `LINK`, `IO`
   */
  async folder(name: Name): Promise<Folder | undefined> {
    return Folder.#openAt(this.#wayTo(name), this.pathOf(name), {});
  }

  /**
   * Opens a folder in this one, and makes it if it does not exist.
   * @param mode whatever the umask; default: as the umask allows
   * @throws {@link DrayageError} `LINK`, `IO`
   */
  async ensure(name: string, mode?: number): Promise<{ folder: Folder; isNew: boolean }> {
    const found = await this.folder(name);
    if (found !== undefined) return { folder: found, isNew: false };
    const isNew = await onDisk(this.pathOf(name), 'make the folder', () => this.make(name, mode));
    try {
      return { folder: await this.#existing(name), isNew };
    } catch (error) {
      if (isNew) await ignoreErrors(() => this.removeEmpty(name));
      throw error;
    }
  }

  /**
   * Makes a folder.
   * @param mode whatever the umask; default: as the umask allows
   * @returns false if there is something of this name
   */
  async make(name: string, mode?: number): Promise<boolean> {
    try {
      await mkdir(this.#wayTo(name), { mode });
    } catch (error) {
      if (systemCode(error) === 'EEXIST') return false;
      throw error;
    }
    if (mode !== undefined) await ignoreErrors(() => this.setModeOf(name, mode));
    return true;
  }

  /**
   * The state of a file or folder in this one.
   * @returns undefined if nothing is there
   * @throws {@link DrayageError} `LINK` for a link, and for another kind of file than the expected one; `IO`
   */
  async look(name: Name, kind: Kind): Promise<BigIntStats | undefined> {
    const path = this.pathOf(name);
    const stats = await ifThere(path, 'look at', () => this.stat(name));
    if (stats !== undefined) assertKind(path, kind, stats);
    return stats;
  }

  /** The state of anything of this name. */
  async stat(name: Name): Promise<BigIntStats> {
    return lstat(this.#wayTo(name), { bigint: true });
  }

  /** The state of this folder. */
  async state(): Promise<BigIntStats> {
    return this.#handle?.stat({ bigint: true }) ?? stat(this.#base, { bigint: true });
  }

  /**
   * Opens a file for reading.
   * @returns undefined if nothing is there
   * @throws {@link DrayageError} `LINK`, `IO`
   */
  async openFile(name: Name): Promise<FileHandle | undefined> {
    if ((await this.look(name, 'file')) === undefined) return undefined;
    const path = this.pathOf(name);
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    const handle = await ifThere(path, 'open', () => open(this.#wayTo(name), flags));
    if (handle === undefined) return undefined;
    try {
      assertKind(path, 'file', await onDisk(path, 'look at', () => handle.stat({ bigint: true })));
      return handle;
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Makes a file, which must not exist, for reading and writing. */
  async create(name: string, mode: number): Promise<FileHandle> {
    return open(this.#wayTo(name), 'wx+', mode);
  }

  /** The names in this folder. */
  async names(): Promise<string[]> {
    return readdir(this.#base);
  }

  /** The names in this folder, as bytes. */
  async rawNames(): Promise<Buffer[]> {
    return readdir(this.#base, { encoding: 'buffer' });
  }

  /** Moves a file or folder. Replaces a file, or an empty folder. */
  async move(name: Name, to: Folder, newName: string): Promise<void> {
    await rename(this.#wayTo(name), to.#wayTo(newName));
  }

  /** Removes a file, or a link itself. */
  async remove(name: Name): Promise<void> {
    await unlink(this.#wayTo(name));
  }

  /** Removes an empty folder. */
  async removeEmpty(name: Name): Promise<void> {
    await rmdir(this.#wayTo(name));
  }

  /** Sets the mode of this folder. */
  async setMode(mode: number): Promise<void> {
    await (this.#handle?.chmod(mode) ?? chmod(this.#base, mode));
  }

  /** Sets the mode of a folder in this one, also of one that its owner may not read. */
  async setModeOf(name: Name, mode: number): Promise<void> {
    const way = this.#wayTo(name);
    if (this.#handle === undefined) {
      await assertFolder(way, this.pathOf(name), false);
      return chmod(way, mode);
    }
    const handle = await open(way, PATH_ONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    try {
      await chmod(`/proc/self/fd/${handle.fd}`, mode);
    } finally {
      await handle.close();
    }
  }

  /**
   * Makes the names in this folder survive a power cut.
   * @throws {@link DrayageError} `IO`
   */
  async sync(): Promise<void> {
    await onDisk(this.path, 'sync the folder', async () => {
      const handle = this.#handle ?? (await open(this.#base, 'r'));
      try {
        await handle.sync();
      } catch (error) {
        // Some network file systems do not support this call.
        if (!['EINVAL', 'ENOTSUP', 'ENOSYS'].includes(systemCode(error) ?? '')) throw error;
      } finally {
        if (handle !== this.#handle) await handle.close();
      }
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await ignoreErrors(async () => this.#handle?.close());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** The way to the folder for the system. A handle that was closed may be another file's by now. */
  get #base(): string {
    if (this.#isClosed) throw new DrayageError('USAGE', `the folder ${this.path} was closed`);
    return this.#way;
  }

  async #existing(name: string): Promise<Folder> {
    const folder = await this.folder(name);
    if (folder !== undefined) return folder;
    const path = this.pathOf(name);
    throw new DrayageError('IO', `the folder ${path} was removed meanwhile`, { path, actual: 'ENOENT' });
  }

  #wayTo(name: Name): Name {
    const text = String(name);
    if (/^\.{0,2}$|[/\0]/.test(text)) throw new DrayageError('USAGE', `not a name: ${JSON.stringify(text)}`);
    return typeof name === 'string'
      ? join(this.#base, name)
      : Buffer.concat([Buffer.from(`${this.#base}/`), name]);
  }
}
