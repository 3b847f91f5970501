import { readFile } from 'node:fs/promises';
import { sep } from 'node:path';
import { fileError, isNoFile } from '../system-error.ts';

/** A mount: the folder (or file) of a device that is seen at a path. */
interface Mount {
  id: string;
  /** The ID of the mount that it is on; empty for the one that the root folder of this process is on. */
  parent: string;
  device: string;
  /** The path on the device. */
  root: string;
  /** The path at which it is seen. */
  at: string;
}

/** The mounts of this process. They tell whether two paths lead to one folder of a device. */
export class Mounts {
  readonly #mounts: readonly Mount[];
  /** By the mount that each is on, and the path. */
  readonly #byPlace: ReadonlyMap<string, Mount>;

  private constructor(mounts: readonly Mount[]) {
    this.#mounts = mounts;
    this.#byPlace = new Map(mounts.map((mount) => [placeOn(mount.parent, mount.at), mount]));
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
    const mounts = text.split('\n').flatMap((line) => parseMount(line) ?? []);
    const ids = new Set(mounts.map(({ id }) => id));
    return new Mounts(
      mounts.map((mount) => ({
        ...mount,
        parent: ids.has(mount.parent) && mount.parent !== mount.id ? mount.parent : '',
      })),
    );
  }

  /**
   * Whether a path is in a folder, or is that folder, whatever mounts lead to each. What is mounted below the folder is in
   * it, too.
   * @param path without links on the way
   * @param folder likewise
   */
  isIn(path: string, folder: string): boolean {
    const inner = this.#onDevice(path);
    if (inner === undefined) return false;
    const below = this.#mounts.filter(
      (mount) => isBelow(mount.at, folder) && this.#mountOf(mount.at) === mount,
    );
    return [folder, ...below.map(({ at }) => at)].some((place) => {
      const outer = this.#onDevice(place);
      return inner.device === outer?.device && isBelow(inner.path, outer.path);
    });
  }

  /** The device of a path, and the path there. */
  #onDevice(path: string): { device: string; path: string } | undefined {
    const mount = this.#mountOf(path);
    if (mount === undefined) return undefined;
    const rest = path.slice(mount.at === sep ? 0 : mount.at.length);
    return { device: mount.device, path: (mount.root === sep ? '' : mount.root) + rest || sep };
  }

  /**
   * The mount that a path is on. As in the system, each step leads on to a mount that is on the one so far: a mount hides
   * what others are on the folder below it.
   */
  #mountOf(path: string): Mount | undefined {
    let mount: Mount | undefined;
    for (const step of stepsTo(path)) mount = this.#topAt(step, mount);
    return mount;
  }

  /** The uppermost of the mounts at a path on a mount; that mount if there is none. */
  #topAt(at: string, mount: Mount | undefined): Mount | undefined {
    const next = this.#byPlace.get(placeOn(mount?.id ?? '', at));
    return next === undefined ? mount : this.#topAt(at, next);
  }
}

function placeOn(mount: string, path: string): string {
  return `${mount} ${path}`;
}

/** `/a/b` -> `/`, `/a`, `/a/b`. */
function stepsTo(path: string): string[] {
  const names = path.split(sep).filter((name) => name !== '');
  return [sep, ...names.map((_, i) => sep + names.slice(0, i + 1).join(sep))];
}

/** Whether a path is in a folder, or is that folder, by their spelling. */
export function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}

function parseMount(line: string): Mount | undefined {
  const [id, parent, device, root, at] = line.split(' ');
  if (id === undefined || parent === undefined || device === undefined) return undefined;
  if (root === undefined || at === undefined) return undefined;
  return { id, parent, device, root: unescape(root), at: unescape(at) };
}

/** Spaces and the like are written in octal: `\040`. */
function unescape(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}
