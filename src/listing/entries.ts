import type { StoredImage } from '../content/image-index.ts';
import { REF_NAME } from '../oci/annotations.ts';
import { OMITTED_LAYERS } from '../image/annotations.ts';
import { withOmitted } from '../image/omitted-layers.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { isIndexType, isManifestType } from '../oci/media-types.ts';
import type { Platform } from '../oci/platform.ts';
import { isSamePlatform, isUnknownPlatform } from '../oci/platform.ts';
import { normalizeName } from '../oci/reference.ts';
import { isCosignEntry } from './cosign-entry.ts';
import { entryName, entryNames, nameAnnotations, withoutNames } from './names.ts';

/** An image with everything that finds it. */
export interface ListedImage extends StoredImage {
  /** What other tools call it; see {@link EntryNames}. */
  foreign: string[];
}

/**
 * Adds an image to the entries of index.json: one entry for each name, or one unnamed entry if the image has no name
 * and no entry yet. A name that another image has for the same platform moves here. Adding the same thing twice changes
 * nothing.
 * @throws {@link DrayageError} `USAGE` for an invalid name
 */
export function addImage(
  entries: readonly Descriptor[],
  root: Descriptor,
  names: readonly string[],
  annotations: Record<string, string>,
): Descriptor[] {
  const given = { ...root.annotations, ...annotations };
  // For a document that belongs to an image by its name, only the name says so.
  const own = isCosignEntry({ ...root, annotations: given }) ? given : withoutNames(given);
  const present = entries.map((entry) => (entry.digest === root.digest ? alsoOmitting(entry, own) : entry));
  if (names.length === 0) return addNameless(present, toEntry(root, own));
  let result = present.filter((entry) => !(entry.digest === root.digest && isNameless(entry)));
  for (const name of new Set(names.map(normalizeName))) {
    result = setName(result, name, toEntry(root, { ...own, ...nameAnnotations(name) }));
  }
  return result;
}

/** The entries without those of a digest, of a name (for any platform), or of another tool's reference. */
export function removeImage(
  entries: readonly Descriptor[],
  target: { digest: Digest } | { name: string },
): Descriptor[] {
  if ('digest' in target) return entries.filter((entry) => entry.digest !== target.digest);
  const name = familiar(target.name);
  const left = entries.filter((entry) => entryName(entry) !== name);
  return left.length < entries.length
    ? left
    : entries.filter((entry) => entryNames(entry).foreign !== target.name);
}

/**
 * The images that entries name, without reading a document: manifests and indexes, in the order of their first entries.
 * Entries that say that they are artifacts or attestations are skipped.
 */
export function listImages(entries: readonly Descriptor[]): ListedImage[] {
  return groupEntries(entries.filter(isImageEntry));
}

/** Entries by digest, in the order of the first ones: an image has one entry for each of its names. */
export function groupEntries(entries: readonly Descriptor[]): ListedImage[] {
  const images = new Map<Digest, ListedImage>();
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
    if (name !== undefined && !image.names.includes(name)) image.names.push(name);
    if (foreign !== undefined && !image.foreign.includes(foreign)) image.foreign.push(foreign);
  }
  return [...images.values()];
}

/** An image without the words of other tools. */
export function bare({ root, names, annotations }: ListedImage): StoredImage {
  return { root, names, annotations };
}

/** The familiar form of a name; a text that is not a name stays as it is. */
export function familiar(text: string): string {
  try {
    return normalizeName(text);
  } catch {
    return text;
  }
}

function isImageEntry(entry: Descriptor): boolean {
  const { mediaType, artifactType, platform } = entry;
  return (
    !isCosignEntry(entry) &&
    (isManifestType(mediaType) || isIndexType(mediaType)) &&
    artifactType === undefined &&
    !(platform !== undefined && isUnknownPlatform(platform))
  );
}

function isNameless(entry: Descriptor): boolean {
  return entryName(entry) === undefined && entry.annotations?.[REF_NAME] === undefined;
}

function addNameless(entries: Descriptor[], added: Descriptor): Descriptor[] {
  const at = entries.findIndex((entry) => entry.digest === added.digest && isNameless(entry));
  if (at >= 0) return entries.with(at, added);
  return entries.some((entry) => entry.digest === added.digest) ? entries : [...entries, added];
}

/** Replaces the entry that has this name, if it is the same image; otherwise appends. */
function setName(entries: Descriptor[], name: string, added: Descriptor): Descriptor[] {
  const taken = (entry: Descriptor): boolean =>
    entryName(entry) === name && samePlatform(entry.platform, added.platform);
  const at = entries.findIndex((entry) => taken(entry) && entry.digest === added.digest);
  if (at < 0) return [...entries.filter((entry) => !taken(entry)), added];
  return entries.flatMap((entry, i) => (i === at ? [added] : taken(entry) ? [] : [entry]));
}

/** An unknown platform may be any. */
function samePlatform(a: Platform | undefined, b: Platform | undefined): boolean {
  return a === undefined || b === undefined || isSamePlatform(a, b);
}

/** Omission is a fact of the image: whoever adds it last decides it for all of its names. */
function alsoOmitting(entry: Descriptor, { [OMITTED_LAYERS]: count }: Record<string, string>): Descriptor {
  if (entry.annotations?.[OMITTED_LAYERS] === count) return entry;
  return toEntry(entry, withOmitted(entry.annotations ?? {}, count));
}

/** The same entry always gives the same bytes: keys in order, nothing empty. */
function toEntry(root: Descriptor, annotations: Record<string, string>): Descriptor {
  const { mediaType, digest, size, annotations: _annotations, data: _data, ...rest } = root;
  const sorted = Object.entries(annotations).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const named = sorted.length > 0 && { annotations: Object.fromEntries(sorted) };
  return { mediaType, digest, size, ...named, ...rest };
}
