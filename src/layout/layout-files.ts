import { join } from 'node:path';
import { DrayageError } from '../errors.ts';
import type { LayoutIndex } from '../oci/image-index.ts';
import { parseLayoutIndex } from '../oci/image-index.ts';
import { Folder } from '../disk/folder.ts';
import { ifThere } from '../disk/io-error.ts';
import { readSmallFile } from './small-file.ts';
import {
  BLOBS_FOLDER,
  checkLayoutVersion,
  DOCKER_MANIFEST_FILE,
  INDEX_FILE,
  LAYOUT_FILE,
} from '../oci/layout.ts';

/** The staging home of a layout that cannot have it beside itself. */
export const INNER_HOME = '.drayage-tmp';

/** See {@link folderState}. */
export type FolderState = 'nothing' | 'empty' | 'layout' | 'unmarked' | 'other';

/**
 * What an update may find at the layout's path besides a layout: `create` makes one where there is nothing, `adopt` adds the
 * `oci-layout` that a builder left out.
 */
export type OpenedFor = 'open' | 'create' | 'adopt';

/**
 * What is at a layout's path: nothing, an empty folder (which may contain what a killed update left of a new layout), a
 * layout, a layout without its `oci-layout` (older builders leave it out), or something else.
 * @throws {@link DrayageError} `LINK`, `IO`
 */
export async function folderState(path: string): Promise<FolderState> {
  await using folder = await Folder.open(path);
  const found = folder && (await ifThere(path, 'read the folder', () => folder.names()));
  if (found === undefined) return 'nothing';
  const names = found.filter((name) => name !== INNER_HOME);
  if (names.length === 0 || (names.length === 1 && names[0] === LAYOUT_FILE)) return 'empty';
  if (names.includes(LAYOUT_FILE)) return 'layout';
  return names.includes(INDEX_FILE) && names.includes(BLOBS_FOLDER) ? 'unmarked' : 'other';
}

/**
 * Checks that a folder is a layout of the supported version.
 * @throws {@link DrayageError} `MALFORMED`, `LINK`, `IO`
 */
export async function checkLayoutFile(root: string): Promise<void> {
  const bytes = await readSmallFile(root, LAYOUT_FILE);
  if (bytes === undefined) throw await noLayout(root);
  const path = join(root, LAYOUT_FILE);
  checkLayoutVersion(bytes, path, { path });
}

async function noLayout(root: string): Promise<DrayageError> {
  const manifest = await readSmallFile(root, DOCKER_MANIFEST_FILE).catch(() => undefined);
  return new DrayageError('MALFORMED', `${root} is not an image layout: it has no file ${LAYOUT_FILE}`, {
    path: root,
    hint: manifest && hintFor(manifest),
  });
}

/** How a folder with such a manifest.json becomes a layout or an archive. */
function hintFor(manifest: Uint8Array): string {
  const isList = Buffer.from(manifest).toString().trimStart().startsWith('[');
  return isList
    ? 'it looks like an unpacked archive of docker save: pack it with tar -C DIR -cf FILE . and name that FILE'
    : 'it looks like a folder of skopeo\'s "dir:": make a layout of it with skopeo copy dir:DIR oci:LAYOUT:NAME';
}

/**
 * Reads a layout's index.json.
 * @throws {@link DrayageError} `MALFORMED`, `LIMIT`, `LINK`, `IO`
 */
export async function readLayoutIndex(root: string): Promise<LayoutIndex> {
  const path = join(root, INDEX_FILE);
  const bytes = await readSmallFile(root, INDEX_FILE);
  if (bytes === undefined)
    throw new DrayageError('MALFORMED', `${root} is damaged: it has no ${INDEX_FILE}`, { path });
  return parseLayoutIndex(bytes, path);
}

/** The error for a folder that contains something other than a layout. */
export function unsafeFolder(path: string): DrayageError {
  return new DrayageError('UNSAFE', `${path} is not empty and is not an image layout: nothing was changed`, {
    path,
    hint: 'choose another folder: one that is empty or does not exist',
  });
}
