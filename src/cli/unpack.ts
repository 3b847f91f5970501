import { join } from 'node:path';
import type { ImagePlace, SavedImage, StoredImage } from '../index.ts';
import { isDrayageError, Layout, overlay, save } from '../index.ts';
import { openArchiveInput } from './archive-input.ts';
import type { Context } from './context.ts';
import { parseNotation } from './notation.ts';
import { makeTemporaryFolder } from './temporary-folder.ts';

/** Archives as layouts, until they are closed. */
export interface UnpackedArchives extends AsyncDisposable {
  layouts: Layout[];
  /** The same places; their images know the words by which they were requested, which signatures are checked against. */
  places: ImagePlace[];
}

/**
 * Makes a temporary layout of each archive: images are checked before they are loaded, and an archive can only be read
 * from beginning to end. Its blobs stay as they are.
 * @param archives `oci-archive:FILE[:NAME]` or `docker-archive:FILE[:NAME]`; `-` is standard input
 * @param wanted the images to unpack of each archive that is given without a NAME; default: all
 */
export async function unpackArchives(
  archives: readonly string[],
  context: Context,
  wanted?: readonly string[],
): Promise<UnpackedArchives> {
  if (archives.length === 0) return { layouts: [], places: [], [Symbol.asyncDispose]: async () => {} };
  const folder = await makeTemporaryFolder();
  try {
    const layouts: Layout[] = [];
    const places: ImagePlace[] = [];
    for (const [i, text] of archives.entries()) {
      const { path, image } = parseNotation(text);
      const to = await Layout.create(join(folder.path, String(i)));
      const { archive, name } = await openArchiveInput(path, context);
      const images = image === undefined ? wanted : [image];
      try {
        const saved = await save({
          from: { archive, name },
          images,
          to,
          compress: 'none',
          signal: context.signal,
          onProgress: context.onProgress,
        });
        places.push(askedAs(to, saved.images));
      } finally {
        archive.destroy();
      }
      layouts.push(to);
    }
    return { layouts, places, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
  } catch (error) {
    await folder[Symbol.asyncDispose]();
    throw error;
  }
}

/**
 * Saved images are found by what finds them in the archive: the words by which they were requested, which those with a name do
 * not keep, and the digests of indexes that were there only in part.
 */
function askedAs(layout: Layout, saved: readonly SavedImage[]): ImagePlace {
  const words = new Map(saved.map(({ digest, foundAs = [] }) => [digest, foundAs]));
  const isPlain = saved.every(({ foundAs, originalIndexes }) => (foundAs ?? originalIndexes) === undefined);
  if (isPlain) return layout;
  const asked = (image: StoredImage, foundAs = words.get(image.root.digest)): StoredImage => ({
    ...image,
    foundAs,
  });
  return overlay(layout, {
    images: async (options) => (await layout.images(options)).map((image) => asked(image)),
    resolve: async (reference, options) => {
      const [digest] = [...words].find(([, all]) => all.includes(reference)) ?? [];
      const word = digest === undefined ? undefined : [reference];
      const [first, ...others] = await layout
        .resolve(digest ?? reference, options)
        .catch((error: unknown) => {
          const part = isDrayageError(error, 'NOT_FOUND') ? partMeant(saved, reference) : undefined;
          if (part === undefined) throw error;
          return layout.resolve(part, options);
        });
      return [asked(first, word), ...others.map((image) => asked(image, word))];
    },
  });
}

/** The part of an index that the index's digest means, or seven or more digits of it; undefined if it means several, or none. */
function partMeant(saved: readonly SavedImage[], reference: string): string | undefined {
  const digits = reference.slice(reference.indexOf('@') + 1);
  if (!/^(?:sha\d+:)?[0-9a-f]{7,}$/.test(digits)) return undefined;
  const fits = (index: string): boolean =>
    index.startsWith(digits) || index.slice(index.indexOf(':') + 1).startsWith(digits);
  const [part, ...others] = saved.filter(({ originalIndexes = [] }) => originalIndexes.some(fits));
  return others.length > 0 ? undefined : part?.digest;
}
