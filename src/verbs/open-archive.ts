import type { ImageStore } from '../content/store.ts';
import { MemoryStore } from '../memory/memory-store.ts';
import type { Selection } from '../select/selection.ts';
import { save } from './save/save.ts';
import type { ArchiveBytes } from './save/sources/source.ts';

/** Options of {@link openArchive}. */
export interface OpenArchiveOptions extends Omit<Selection, 'as'> {
  /** Holds the content, since an archive is read once, from its beginning to its end. Default: a store in memory. */
  into?: ImageStore | undefined;
}

/**
 * Opens an archive as a place: its images are found by name, and read in any order. Both forms of `docker save` are read, and
 * OCI archives. Layers that are uncompressed stay so, and every digest is checked.
 * @param archive the path of a file, or bytes
 * @returns the store that holds the images: a Layout for large ones, if `into` is one
 * @throws {@link DrayageError} `NOT_FOUND` without the file, `IO` if it cannot be read; `TRUNCATED`, `MALFORMED`, `INCOMPLETE`, `DIGEST_MISMATCH`
 * @example
 * ```ts
 * import { openArchive } from 'drayage';
 *
 * const place = await openArchive(archive);
 * for (const { names, root } of await place.images()) console.log(names, root.digest);
 * ```
 */
export async function openArchive(
  archive: ArchiveBytes['archive'],
  { into = new MemoryStore(), ...selection }: OpenArchiveOptions = {},
): Promise<ImageStore> {
  await save({ ...selection, from: { archive }, to: into, compress: 'none' });
  return into;
}
