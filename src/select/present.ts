import { withDocuments } from '../content/overlay.ts';
import type { ContentOptions, ContentSource } from '../content/source.ts';
import { chainSources } from '../content/source.ts';
import { annotatePart } from '../image/annotations.ts';
import { presentPart } from '../image/present-part.ts';
import type { Selected, SelectedImage } from './selection.ts';
import { isReferred } from './selection.ts';

/**
 * An image with what is present of its index, as a save takes it. An image that is present whole stays as it is.
 * @param source its content, and other places that may have some of it
 * @throws {@link DrayageError} as `contentsOf`
 */
export async function presentImage(
  selected: SelectedImage,
  source: ContentSource,
  { signal }: ContentOptions = {},
): Promise<SelectedImage> {
  const { content, image, read, root: whole } = selected;
  const { root, written, contents } = await presentPart(source, whole, {
    annotations: image.annotations,
    signal,
  });
  if (root === whole) return selected;
  const kept = new Set(contents.images.map(({ descriptor }) => descriptor.digest));
  const [first = read[0], ...others] = read.filter(({ manifest }) => kept.has(manifest.descriptor.digest));
  const annotations = { ...annotatePart(root.digest, whole.digest), ...image.annotations };
  return {
    ...selected,
    root,
    content: withDocuments(content, written),
    image: { ...image, root, annotations },
    read: [first, ...others],
  };
}

/** As {@link presentImage}, for each that is no reference. `places` are those that may have some of its content. */
export async function presentEach(
  all: readonly Selected[],
  places: readonly ContentSource[],
  options: ContentOptions = {},
): Promise<Selected[]> {
  const found: Selected[] = [];
  for (const one of all) {
    const source = chainSources([one.content, ...places]);
    found.push(isReferred(one) ? one : await presentImage(one, source, options));
  }
  return found;
}
