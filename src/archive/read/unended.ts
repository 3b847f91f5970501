import type { DrayageError } from '../../errors.ts';
import { isDrayageError } from '../../errors.ts';
import type { ContentOptions } from '../../content/source.ts';
import { contentsOf } from '../../image/contents.ts';
import { DOCKER_MANIFEST_FILE, INDEX_FILE } from '../../oci/layout.ts';
import type { ArchiveOptions } from './archive.ts';
import { Archive } from './archive.ts';
import type { ArchiveContents } from './contents.ts';

/**
 * Opens an archive that ended without its end: it is whole if all has arrived that its images name.
 * @param unended the error if something is missing
 * @throws {@link DrayageError} `unended`, and as of {@link Archive.open}
 */
export async function openUnended(
  contents: ArchiveContents,
  unended: DrayageError,
  options: ArchiveOptions,
): Promise<Archive> {
  const isDocker = contents.has(DOCKER_MANIFEST_FILE);
  if (!isDocker && !contents.has(INDEX_FILE)) throw unended;
  try {
    const archive = await Archive.open(contents, options);
    // Without a manifest.json, nothing tells a sparse index from one whose children were cut off.
    if (await isWhole(archive, { signal: options.signal, maySparse: isDocker })) return archive;
  } catch (error) {
    throw isAbsence(error) ? unended : error;
  }
  throw unended;
}

async function isWhole(
  archive: Archive,
  { maySparse, ...options }: ContentOptions & { maySparse: boolean },
): Promise<boolean> {
  const { place } = archive;
  for (const { root, annotations } of await place.images()) {
    if (archive.isWritten(root)) continue;
    const { absent, blobs } = await contentsOf(place, root, { annotations, ...options });
    if (absent.length > 0 && !maySparse) return false;
    for (const blob of blobs) if (!(await place.has(blob, options))) return false;
  }
  return true;
}

function isAbsence(error: unknown): boolean {
  return isDrayageError(error, 'INCOMPLETE', 'NOT_FOUND');
}
