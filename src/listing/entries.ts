import type { StoredImage } from '../content/image-index.ts';
import { IMAGE_REFERENCE } from '../image/reference.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { isDocumentType } from '../oci/media-types.ts';
import { isUnknownPlatform } from '../oci/platform.ts';
import { isCosignEntry } from './cosign-entry.ts';
import type { RemovedEntries } from './entry-list.ts';
import { EntryList } from './entry-list.ts';
import { entryNames, withoutNames } from './names.ts';
import { REF_NAME } from '../oci/annotations.ts';

/** An image with everything that finds it. */
export interface ListedImage extends StoredImage {
  /** What other tools call it; see {@link EntryNames}. */
  foreign: string[];
}

/** See {@link EntryList.add}. Adding several images to one list takes an {@link EntryList}. */
export function addImage(
  entries: readonly Descriptor[],
  root: Descriptor,
  names: readonly string[],
  annotations: Record<string, string>,
): Descriptor[] {
  const list = new EntryList(entries);
  list.add(root, names, annotations);
  return list.entries;
}

/** See {@link EntryList.remove}. */
export function removeImage(entries: readonly Descriptor[], target: RemovedEntries): Descriptor[] {
  const list = new EntryList(entries);
  list.remove(target);
  return list.entries;
}

/**
 * The images that entries name, without reading a document: manifests and indexes, in the order of their first entries.
 * Entries that say that they are artifacts or attestations are skipped; references to images in daemons are not.
 */
export function listImages(entries: readonly Descriptor[]): ListedImage[] {
  return groupEntries(entries.filter(isImageEntry));
}

/** Entries by digest, in the order of the first ones: an image has one entry for each of its names. */
export function groupEntries(entries: readonly Descriptor[]): ListedImage[] {
  const images = new Map<Digest, ListedImage>();
  const known = new Set<string>();
  const isNew = (kind: string, { digest }: Descriptor, text: string): boolean =>
    known.size < known.add(`${kind} ${digest} ${text}`).size;
  for (const entry of entries) {
    const { annotations = {}, ...root } = entry;
    const { name, foreign } = entryNames(entry);
    const image: ListedImage = images.get(root.digest) ?? {
      root,
      names: [],
      annotations: withoutNames(annotations),
      foreign: [],
    };
    images.set(root.digest, image);
    if (name !== undefined && isNew('name', entry, name)) image.names.push(name);
    if (foreign !== undefined && isNew('foreign', entry, foreign)) image.foreign.push(foreign);
  }
  return [...images.values()];
}

/** An image without the words of other tools; one that has no name keeps the first word among its annotations. */
export function bare({ root, names, annotations, foreign: [word] }: ListedImage): StoredImage {
  const isNamed = names.length > 0 || word === undefined;
  return { root, names, annotations: isNamed ? annotations : { ...annotations, [REF_NAME]: word } };
}

function isImageEntry(entry: Descriptor): boolean {
  const { mediaType, artifactType, platform } = entry;
  return (
    !isCosignEntry(entry) &&
    isDocumentType(mediaType) &&
    (artifactType === undefined || artifactType === IMAGE_REFERENCE) &&
    !(platform !== undefined && isUnknownPlatform(platform))
  );
}
