import { readFile } from 'node:fs/promises';
import { sep } from 'node:path';
import { fileError, isNoFile } from '../system-error.ts';

/** A mount: the folder (or file) of a device that is seen at a path. */
interface Mount {
  device: string;
  /** The path on the device. */
  root: string;
  /** The path at which it is seen. */
  at: string;
}

/** The mounts of this process. They tell whether two paths lead to one folder of a device. */
export class Mounts {
  readonly #mounts: readonly Mount[];

  private constructor(mounts: readonly Mount[]) {
    this.#mounts = mounts;
  }

  /**
   * Reads the mounts. Where the system does not list them, there are none.
   * @throws {@link DrayageError} `IO` if they cannot be read
   */
  static async read(): Promise<Mounts> {
    try {
      return Mounts.parse(await readFile('/proc/self/mountinfo', 'utf8'));
    } catch (error) {
      if (isNoFile(error)) return Mounts.parse('');
      throw fileError(error, 'cannot read the mounts of this process');
    }
  }

  /** Parses the text of `/proc/self/mountinfo` (proc_pid_mountinfo(5)). */
  static parse(text: string): Mounts {
    return new Mounts(text.split('\n').flatMap((line) => parseMount(line) ?? []));
  }

  /**
   * Whether a path is in a folder, or is that folder, whatever mounts lead to each.
   * @param path without links on the way
   * @param folder likewise
   */
  isIn(path: string, folder: string): boolean {
    const inner = this.#onDevice(path);
    const outer = this.#onDevice(folder);
    if (inner === undefined || outer === undefined || inner.device !== outer.device) return false;
    return isBelow(inner.path, outer.path);
  }

  /** The device of a path, and the path there. */
  #onDevice(path: string): { device: string; path: string } | undefined {
    let best: Mount | undefined;
    // Of two mounts at one path, the later one hides the other.
    for (const mount of this.#mounts)
      if (isBelow(path, mount.at) && mount.at.length >= (best?.at.length ?? 0)) best = mount;
    if (best === undefined) return undefined;
    const rest = path.slice(best.at === sep ? 0 : best.at.length);
    return { device: best.device, path: (best.root === sep ? '' : best.root) + rest || sep };
  }
}

/** Whether a path is in a folder, or is that folder, by their spelling. */
export function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}

function parseMount(line: string): Mount | undefined {
  const [, , device, root, at] = line.split(' ');
  if (device === undefined || root === undefined || at === undefined) return undefined;
  return { device, root: unescape(root), at: unescape(at) };
}

/** Spaces and the like are written in octal: `\040`. */
function unescape(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}
