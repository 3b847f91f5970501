import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { isDigest } from '../oci/digest.ts';
import { listImages } from './entries.ts';
import { EntryList } from './entry-list.ts';
import { notFound } from './lookup.ts';
import { nameAnnotations } from './names.ts';

/** A change to the entries of an index. */
export type IndexChange =
  | { kind: 'add'; root: Descriptor; names: readonly string[]; annotations: Record<string, string> }
  | { kind: 'remove'; target: { digest: Digest } | { name: string } };

/**
 * The change that adds an image.
 * @throws {@link DrayageError} `USAGE` for an invalid name
 */
export function addition(
  root: Descriptor,
  names: readonly string[],
  annotations: Record<string, string>,
): IndexChange {
  names.forEach(nameAnnotations);
  return { kind: 'add', root, names: [...names], annotations: { ...annotations } };
}

/** The change that removes a name, or a root by its digest. */
export function removal(nameOrDigest: string): IndexChange {
  const target = isDigest(nameOrDigest) ? { digest: nameOrDigest } : { name: nameOrDigest };
  return { kind: 'remove', target };
}

/**
 * The entries after the changes.
 * @param place names the index in errors: a path, an address
 * @throws {@link DrayageError} `NOT_FOUND` for a removal of something absent
 */
export function changeEntries(
  entries: readonly Descriptor[],
  changes: readonly IndexChange[],
  place: string,
): Descriptor[] {
  const list = new EntryList(entries);
  for (const change of changes) {
    if (change.kind === 'add') list.add(change.root, change.names, change.annotations);
    else if (!list.remove(change.target))
      throw notFound(Object.values(change.target)[0] ?? '', listImages(list.entries), place);
  }
  return list.entries;
}
