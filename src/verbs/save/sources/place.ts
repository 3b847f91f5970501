import { openInput } from '../../../disk/input.ts';
import { readArchive } from '../../../archive/read/read.ts';
import type { ArrivedImage } from '../../../content/arrived-image.ts';
import type { ImagePlace } from '../../../content/image-index.ts';
import type { Digest } from '../../../oci/digest.ts';
import { referenceTo } from '../../../content/image-index.ts';
import { startLayers } from '../../../progress.ts';
import { select } from '../../../select/select.ts';
import type { SelectedImage } from '../../../select/selection.ts';
import { blobsOfLayers } from '../../../select/selection.ts';
import { findBuilt } from './built.ts';
import { takeCopies } from './layout.ts';
import type { ArchiveBytes, SourceOptions } from './source.ts';
import { DrayageError, isDrayageError } from '../../../errors.ts';
import { diskError } from '../../../system-error.ts';

/** Takes images out of an archive. */
export async function fromArchive(
  { archive, name = typeof archive === 'string' ? archive : undefined }: ArchiveBytes,
  options: SourceOptions,
): Promise<ArrivedImage[]> {
  options.onProgress?.({ kind: 'start', images: null, layers: null, size: null });
  options.onProgress?.({ kind: 'phase', phase: 'reading' });
  const { bytes, close } = await openBytes(archive);
  try {
    const read = await readArchive(bytes, options);
    return await takeSelected(read.place, options, () => (selected) => read.store(selected));
  } catch (error) {
    throw name === undefined ? error : naming(name, error);
  } finally {
    close();
  }
}

async function openBytes(
  archive: ArchiveBytes['archive'],
): Promise<{ bytes: AsyncIterable<Uint8Array>; close: () => void }> {
  if (typeof archive !== 'string') return { bytes: archive, close: () => {} };
  const file = await openInput(archive);
  return { bytes: file, close: () => void file.destroy() };
}

/** The error of an archive, which then names it; one that names another file stays as it is. */
function naming(name: string, error: unknown): unknown {
  if (!isDrayageError(error)) return diskError(error, `${name} cannot be read`, { path: name });
  const { code, message, facts } = error;
  if (facts.path !== undefined || message.includes(name)) return error;
  return new DrayageError(code, `${name}: ${message}`, { ...facts, path: name });
}

/** Copies images out of another layout. */
export async function fromLayout(place: ImagePlace, options: SourceOptions): Promise<ArrivedImage[]> {
  return takeSelected(place, options, (all) => {
    const tell = startLayers(options.onProgress, all.length, [all.flatMap(blobsOfLayers)]);
    const copies = { done: new Set<Digest>(), tell };
    return (selected) => takeCopies(selected, options, copies);
  });
}

/** The images that were asked for, or all. */
async function takeSelected(
  place: ImagePlace,
  options: SourceOptions,
  takeFrom: (all: readonly SelectedImage[]) => (selected: SelectedImage) => Promise<ArrivedImage>,
): Promise<ArrivedImage[]> {
  const images = new Map<Digest, ArrivedImage>();
  const built = await findBuilt(place, options.built ?? [], options);
  const asked = [...(options.images ?? []), ...built.keys()];
  const all = await select([place], { ...options, images: asked });
  const take = takeFrom(all);
  for (const selected of all) {
    options.onProgress?.({ kind: 'image', name: referenceTo(selected.image) });
    const image = await take(selected);
    const given = built.get(selected.image.root.digest) ?? [];
    images.set(image.root.digest, joined(images.get(image.root.digest) ?? image, image, given));
  }
  return [...images.values()];
}

/** Two images may become one: manifests that differ in the compression of their layers, parts of two indexes. */
function joined(same: ArrivedImage, image: ArrivedImage, given: readonly string[]): ArrivedImage {
  const foundAs = [...(same.foundAs ?? []), ...(image.foundAs ?? [])];
  const originalIndexes = [...(same.originalIndexes ?? []), ...(image.originalIndexes ?? [])];
  return {
    ...same,
    names: [...new Set([...same.names, ...image.names, ...given])],
    ...(foundAs.length > 0 && { foundAs: [...new Set(foundAs)] }),
    ...(originalIndexes.length > 0 && { originalIndexes: [...new Set(originalIndexes)] }),
  };
}
