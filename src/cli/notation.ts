import { existsSync, statSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { lookAt } from '../disk/look-at.ts';
import { DrayageError } from '../index.ts';
import { fileError } from '../system-error.ts';
import { shellWord } from '../text/shell-word.ts';

/** A place in skopeo's notation: `oci:DIR:NAME`, `oci-archive:FILE:NAME`, `docker-archive:FILE:NAME`. */
export interface Notation {
  /** Undefined for a bare path. */
  kind: 'oci' | 'oci-archive' | 'docker-archive' | undefined;
  path: string;
  /** The named image; undefined if none is named. */
  image: string | undefined;
}

const KINDS = ['oci', 'oci-archive', 'docker-archive'] as const;

/** Whether a path stands for standard input or output, as an archive: `-`, also behind a kind. */
export function isStream(path: string): boolean {
  return path === '-';
}

/** Whether a text names an archive by its kind. */
export function isArchive(text: string): boolean {
  return /^(?:oci|docker)-archive:./.test(text);
}

/**
 * Parses a place of images. The name begins at the first colon after the kind, as for skopeo. But an existing path
 * counts as a path, including its colons.
 * @throws {@link DrayageError} `USAGE` for a kind without a path, and for a layout in a stream
 */
export function parseNotation(text: string): Notation {
  if (text === '') throw new DrayageError('USAGE', 'an empty text names no layout and no archive');
  const kind = KINDS.find((one) => text.startsWith(`${one}:`));
  if (kind === undefined) return { kind, path: text, image: undefined };
  const rest = text.slice(kind.length + 1);
  const colon = existsSync(rest) ? -1 : rest.indexOf(':');
  const path = colon < 0 ? rest : rest.slice(0, colon);
  const image = colon < 0 ? '' : rest.slice(colon + 1);
  if (kind === 'oci' && isStream(path)) throw noFolder(text);
  if (path !== '') return { kind, path, image: image === '' ? undefined : image };
  throw new DrayageError('USAGE', `no path in ${text}`, { hint: `write ${kind}:PATH or ${kind}:PATH:NAME` });
}

/**
 * The folder of a layout, which may be written as `oci:DIR`.
 * @throws {@link DrayageError} `USAGE` for an archive, for another file, and for one image of a layout
 */
export function folderOf(text: string): string {
  const { kind, path, image } = parseNotation(text);
  if (kind === 'oci-archive' || kind === 'docker-archive') {
    throw new DrayageError('USAGE', `${text} is an archive, but a layout is required`, {
      hint: `make a layout of it: drayage save --from ${shellWord(text)} -o DIR`,
    });
  }
  if (isStream(path)) throw noFolder(text);
  if (isFile(path)) {
    throw new DrayageError('USAGE', `${text} is no folder, but a layout is required`, {
      hint: `if it is an archive, make a layout of it: drayage save --from ${shellWord(path)} -o DIR; load, merge and diff take ${shellWord(`docker-archive:${path}`)}`,
    });
  }
  if (image === undefined) return path;
  throw new DrayageError('USAGE', `${text} names an image, but a layout is required`, {
    hint: `choose the image separately: -i ${shellWord(image)}`,
  });
}

function noFolder(text: string): DrayageError {
  return new DrayageError('USAGE', `${text} is no folder, but a layout is required`, {
    hint: 'a folder of this name is ./-; an archive in standard input is docker-archive:- or oci-archive:-',
  });
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    // Whatever is wrong with it, reading it says so.
    return false;
  }
}

/**
 * Whether two paths lead to one folder, however they are spelled.
 * @throws {@link DrayageError} `IO`
 */
export async function isSameFolder(a: string, b: string): Promise<boolean> {
  const [one, other] = [await lookAt(a), await lookAt(b)];
  if (one === undefined || other === undefined) return false;
  return one.isDirectory() && one.dev === other.dev && one.ino === other.ino;
}

/**
 * Whether a path is a folder.
 * @throws {@link DrayageError} `NOT_FOUND`, `IO`
 */
export async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (cause) {
    throw fileError(cause, `${path} cannot be read`, { path });
  }
}
