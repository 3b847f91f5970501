import { createReadStream, existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { DrayageError } from '../index.ts';

/** A place as skopeo and its kin write it: `oci:DIR:NAME`, `oci-archive:FILE:NAME`, `docker-archive:FILE:NAME`. */
export interface Notation {
  /** Undefined for a bare path. */
  kind: 'oci' | 'oci-archive' | 'docker-archive' | undefined;
  path: string;
  /** The image that is named; undefined where none is. */
  image: string | undefined;
}

const KINDS = ['oci', 'oci-archive', 'docker-archive'] as const;

/** Whether a text names an archive by its kind. */
export function isArchive(text: string): boolean {
  return /^(?:oci|docker)-archive:./.test(text);
}

/**
 * Reads where images are. The name begins at the first colon behind the kind, as it does for skopeo; but what is there as a
 * whole is a path, colons and all.
 * @throws {@link DrayageError} `USAGE` for a kind without a path
 */
export function parseNotation(text: string): Notation {
  const kind = KINDS.find((one) => text.startsWith(`${one}:`));
  if (kind === undefined) return { kind, path: text, image: undefined };
  const rest = text.slice(kind.length + 1);
  const colon = existsSync(rest) ? -1 : rest.indexOf(':');
  const path = colon < 0 ? rest : rest.slice(0, colon);
  const image = colon < 0 ? '' : rest.slice(colon + 1);
  if (path !== '') return { kind, path, image: image === '' ? undefined : image };
  throw new DrayageError('USAGE', `no path in ${text}`, { hint: `write ${kind}:PATH or ${kind}:PATH:NAME` });
}

/**
 * The folder of a layout, which may be written as `oci:DIR`.
 * @throws {@link DrayageError} `USAGE` for an archive, and for one image of a layout
 */
export function folderOf(text: string): string {
  const { kind, path, image } = parseNotation(text);
  if (kind === 'oci-archive' || kind === 'docker-archive') {
    throw new DrayageError('USAGE', `a layout is wanted, and ${text} is an archive`, {
      hint: `make a layout of it: drayage save --from ${text} -o DIR`,
    });
  }
  if (image === undefined) return path;
  throw new DrayageError('USAGE', `a layout is wanted, and ${text} names an image`, {
    hint: `choose it by itself: -i ${image}`,
  });
}

/** Opens an archive. What becomes of it is told by the stream. */
export async function openArchive(path: string): Promise<Readable> {
  await isFolder(path);
  return createReadStream(path, { highWaterMark: 256 * 1024 });
}

/**
 * Whether a path is a folder.
 * @throws {@link DrayageError} `NOT_FOUND`
 */
export async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (cause) {
    throw new DrayageError('NOT_FOUND', `${path} cannot be read`, { path, cause });
  }
}
