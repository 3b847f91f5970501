import { nameOf } from '../content/image-index.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { LayoutEntries } from '../oci/image-index.ts';
import { cosignSubjects, isCosignEntry } from './cosign-entry.ts';
import type { ListedImage } from './entries.ts';
import { groupEntries } from './entries.ts';
import type { EntryKind } from './kinds.ts';
import { entryNames } from './names.ts';
import { noteUnread } from './unread.ts';

/** The images of an index.json, and one line for each entry that is skipped or has two names. */
export interface SortedEntries {
  images: ListedImage[];
  notes: string[];
}

/** A note for each entry that has two names, or cannot be read. They hold for every reader of entries. */
export function entryNotes({ manifests, unread }: LayoutEntries): string[] {
  const names = manifests.flatMap((entry) => entryNames(entry).note ?? []);
  return [...names, ...unread.map((entry) => noteUnread(entry))];
}

/** Facts about all entries together. */
interface Context {
  references: boolean;
  /** The index that lists a digest. */
  holders: ReadonlyMap<Digest, ListedImage>;
  /** The digests of all entries. */
  entries: ReadonlySet<Digest>;
}

/**
 * Decides which entries of an index.json are images. These are skipped with one line each: artifacts, unnamed entries
 * that another entry lists, entries that name no content that could be read. Signatures and other referrers get no line,
 * because they are copied with their subject, unless the subject is absent.
 * @param references whether references to images in daemons count as images; otherwise they are skipped
 */
export async function sortEntries(
  index: LayoutEntries,
  readKind: (root: Descriptor) => Promise<EntryKind>,
  references = false,
): Promise<SortedEntries> {
  const { manifests } = index;
  const subjectOf = cosignSubjects(manifests);
  const kinds = new Map<ListedImage, EntryKind>();
  const holders = new Map<Digest, ListedImage>();
  const firstOf = new Map(manifests.toReversed().map((entry) => [entry.digest, entry]));
  for (const image of groupEntries(manifests)) {
    const entry = firstOf.get(image.root.digest);
    const isCosign = entry !== undefined && isCosignEntry(entry);
    const kind: EntryKind = isCosign
      ? { kind: 'referrer', subject: subjectOf(entry)?.subject }
      : await readKind(image.root);
    kinds.set(image, kind);
    if (kind.kind === 'image') for (const part of kind.parts) holders.set(part, image);
  }
  const entries = new Set(manifests.map(({ digest }) => digest));
  const images: ListedImage[] = [];
  const skipped: string[] = [];
  for (const [image, kind] of kinds) {
    const reason = reasonAgainst(image, kind, { holders, entries, references });
    if (reason !== undefined) skipped.push(`${titleOf(image)} is skipped: ${reason}`);
    else if (kind.kind === 'image' || kind.kind === 'reference') images.push(image);
  }
  return { images, notes: [...skipped, ...entryNotes(index)] };
}

function reasonAgainst(
  image: ListedImage,
  kind: EntryKind,
  { holders, entries, references }: Context,
): string | undefined {
  const holder = holders.get(image.root.digest);
  const isNamed = image.names.length > 0 || image.foreign.length > 0;
  if (holder !== undefined && !isNamed) return `it is part of ${titleOf(holder)}`;
  if (kind.kind === 'artifact') return `it is not an image but ${kind.type}`;
  if (kind.kind === 'reference')
    return references ? undefined : 'it is a reference to an image that stays in a daemon';
  if (kind.kind === 'image' || kind.subject === undefined) return undefined;
  const isHere = entries.has(kind.subject) || holders.has(kind.subject);
  return isHere ? undefined : `it refers to ${kind.subject}, which is absent`;
}

function titleOf({ names, foreign: foundAs, root }: ListedImage): string {
  return nameOf({ names, foundAs, root });
}
