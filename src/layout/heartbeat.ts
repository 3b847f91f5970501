import type { FileHandle } from 'node:fs/promises';
import type { Folder, Name } from '../disk/folder.ts';
import { ignoreErrors, ifThere, onDisk } from '../disk/io-error.ts';
import { hasEnded, ownMark } from './process-mark.ts';

/**
 * How far a time may be ahead of another that was read before it, in milliseconds. A time further in the future is not
 * of the file system's clock.
 */
const MAX_AHEAD = 5000;

/** More bytes than a mark has. */
const MAX_MARK = 256;

/** Whether a file that was last written at `beat` has a living owner. A time in the future proves nothing. */
export function isAlive(beat: number, now: number, staleAfter: number): boolean {
  return beat - now <= MAX_AHEAD && now - beat <= staleAfter;
}

/**
 * When the owner of a heartbeat was last known to be alive, in the file system's time: never, if its process has
 * ended. Undefined if the file is gone.
 */
export async function lastBeat(folder: Folder, name: Name): Promise<number | undefined> {
  const stats = await ifThere(folder.pathOf(name), 'look at', () => folder.stat(name));
  if (stats === undefined) return undefined;
  // Without the mark, the time decides.
  const mark = stats.isFile() ? await readMark(folder, name).catch(() => undefined) : undefined;
  return mark !== undefined && hasEnded(mark) ? Number.NEGATIVE_INFINITY : Number(stats.mtimeMs);
}

async function readMark(folder: Folder, name: Name): Promise<string | undefined> {
  const file = await folder.openFile(name);
  try {
    const read = await file?.read(Buffer.alloc(MAX_MARK), 0, MAX_MARK, 0);
    return read?.buffer.toString('latin1', 0, read.bytesRead);
  } finally {
    await file?.close();
  }
}

/**
 * A file whose modification time proves that its owner is alive. Writing to the file sets that time, so the file
 * system's own clock decides, whatever the clocks of the machines and containers that share it say. The file names its
 * owner's process, so that others of the same machine know at once when it was killed.
 */
export class Heartbeat {
  readonly path: string;
  readonly #handle: FileHandle;
  readonly #timer: NodeJS.Timeout;

  private constructor(path: string, handle: FileHandle, interval: number) {
    this.path = path;
    this.#handle = handle;
    this.#timer = setInterval(() => void ignoreErrors(() => this.beat()), interval);
    this.#timer.unref();
  }

  /**
   * Makes the file, which must not exist, and refreshes it from then on. Does not keep the process alive.
   * @param interval time between two beats, in milliseconds
   */
  static async start(folder: Folder, name: string, interval: number): Promise<Heartbeat> {
    const path = folder.pathOf(name);
    const handle = await onDisk(path, 'make', () => folder.create(name, 0o666));
    const heartbeat = new Heartbeat(path, handle, interval);
    try {
      await heartbeat.beat();
      return heartbeat;
    } catch (error) {
      await heartbeat.stop();
      throw error;
    }
  }

  /** Refreshes the file. Returns the file system's time, in milliseconds. */
  async beat(): Promise<number> {
    return onDisk(this.path, 'write', async () => {
      await this.#handle.write(ownMark() || '.', 0);
      return (await this.#handle.stat()).mtimeMs;
    });
  }

  /** Stops refreshing. The file stays, and shows from now on that its owner is gone: its removal may fail. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await ignoreErrors(() => this.#handle.utimes(0, 0));
    await ignoreErrors(() => this.#handle.close());
  }
}
