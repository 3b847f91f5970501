import { readArchive } from '../../../archive/read/read.ts';
import type { ArrivedImage } from '../../../content/arrived-image.ts';
import type { ImagePlace } from '../../../content/image-index.ts';
import type { Digest } from '../../../oci/digest.ts';
import { nameOf } from '../../../content/image-index.ts';
import { select } from '../../../select/select.ts';
import type { SelectedImage } from '../../../select/selection.ts';
import { findBuilt } from './built.ts';
import { takeCopies } from './layout.ts';
import type { SourceOptions } from './source.ts';

/** Takes images out of an archive. */
export async function fromArchive(
  bytes: AsyncIterable<Uint8Array>,
  options: SourceOptions,
): Promise<ArrivedImage[]> {
  const archive = await readArchive(bytes, options);
  return takeSelected(archive.place, options, (selected) => archive.store(selected));
}

/** Copies images out of another layout. */
export async function fromLayout(place: ImagePlace, options: SourceOptions): Promise<ArrivedImage[]> {
  const done = new Set<Digest>();
  return takeSelected(place, options, (selected) => takeCopies(selected, options, done));
}

/** The images that were asked for, or all. */
async function takeSelected(
  place: ImagePlace,
  options: SourceOptions,
  take: (selected: SelectedImage) => Promise<ArrivedImage>,
): Promise<ArrivedImage[]> {
  const images = new Map<Digest, ArrivedImage>();
  const built = await findBuilt(place, options.built ?? [], options);
  const asked = [...(options.images ?? []), ...built.keys()];
  for (const selected of await select([place], { ...options, images: asked })) {
    options.onProgress?.({ kind: 'image', name: nameOf(selected.image) });
    const image = await take(selected);
    const given = built.get(selected.image.root.digest) ?? [];
    // Two images may become one: manifests that differ in the compression of their layers.
    const same = images.get(image.root.digest);
    const names = [...new Set([...(same?.names ?? []), ...image.names, ...given])];
    images.set(image.root.digest, { ...(same ?? image), names });
  }
  return [...images.values()];
}
