import type { FileHandle } from 'node:fs/promises';
import type { Folder } from '../disk/folder.ts';
import { ignoreErrors, onDisk } from '../disk/io-error.ts';

/**
 * How far a time may be ahead of another that was read before it, in milliseconds. A time further in the future is not
 * of the file system's clock.
 */
const MAX_AHEAD = 5000;

/** Whether a file that was last written at `beat` has a living owner. A time in the future proves nothing. */
export function isAlive(beat: number, now: number, staleAfter: number): boolean {
  return beat - now <= MAX_AHEAD && now - beat <= staleAfter;
}

/**
 * A file whose modification time proves that its owner is alive. Writing to the file sets that time, so the file
 * system's own clock decides, whatever the clocks of the machines and containers that share it say.
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
    return new Heartbeat(path, handle, interval);
  }

  /** Refreshes the file. Returns the file system's time, in milliseconds. */
  async beat(): Promise<number> {
    return onDisk(this.path, 'write', async () => {
      await this.#handle.write('.', 0);
      return (await this.#handle.stat()).mtimeMs;
    });
  }

  /** Stops refreshing; the file stays. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await ignoreErrors(() => this.#handle.close());
  }
}
