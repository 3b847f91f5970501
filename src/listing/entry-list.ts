import type { Omission } from '../image/omitted-layers.ts';
import { statedOmission, withOmission } from '../image/omitted-layers.ts';
import { REF_NAME } from '../oci/annotations.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { Platform } from '../oci/platform.ts';
import { isSamePlatform } from '../oci/platform.ts';
import { normalizeName } from '../oci/reference.ts';
import { isCosignEntry } from './cosign-entry.ts';
import { entryName, entryNames, familiar, nameAnnotations, withoutNames } from './names.ts';

/** Entries of a digest; or of a name, for any platform; or of another tool's reference. */
export type RemovedEntries = { digest: Digest } | { name: string };

/**
 * The entries of index.json, in order, while they change. Entries are found by digest and by name, so that a change costs
 * the same however many there are.
 */
export class EntryList {
  /** In order: a new entry gets the next number, and one that takes another's place its number. */
  readonly #entries = new Map<number, Descriptor>();
  readonly #byDigest = new Groups<Digest>();
  readonly #byName = new Groups<string>();
  readonly #nameless = new Groups<Digest>();
  /** Named by another tool's word only. */
  readonly #foreign = new Groups<Digest>();
  /** What the entries of a digest say about omitted layers, since it was added here. */
  readonly #omissions = new Map<Digest, string | undefined>();
  #next = 0;

  constructor(entries: readonly Descriptor[]) {
    for (const entry of entries) this.#append(entry);
  }

  /** The entries as they are now. */
  get entries(): Descriptor[] {
    return [...this.#entries].toSorted(([a], [b]) => a - b).map(([, entry]) => entry);
  }

  /**
   * Adds an image: one entry for each name, or one unnamed entry if the image has no name and no entry yet; that keeps another
   * tool's word for it, if the annotations state one. A name that
   * another image has for the same platform moves here. Adding the same thing twice changes nothing.
   * @throws {@link DrayageError} `USAGE` for an invalid name
   */
  add(root: Descriptor, names: readonly string[], annotations: Record<string, string>): void {
    const given = { ...root.annotations, ...annotations };
    // For a document that belongs to an image by its name, only the name says so.
    const own = isCosignEntry({ ...root, annotations: given }) ? given : withoutNames(given);
    this.#setOmission(root.digest, statedOmission(own));
    this.#setForeign(root, own);
    const nameless = this.#nameless.of(root.digest);
    if (names.length === 0) {
      // Another tool's word for an image that has no name is all that people know it by.
      const { foreign } = entryNames({ ...root, annotations: given });
      const entry = toEntry(root, foreign === undefined ? own : { ...own, [REF_NAME]: foreign });
      const [at] = nameless;
      if (at !== undefined) this.#put(at, entry);
      else if (this.#byDigest.of(root.digest).length === 0) this.#append(entry);
      return;
    }
    for (const at of nameless) this.#delete(at);
    for (const name of new Set(names.map(normalizeName)))
      this.#setName(name, toEntry(root, { ...own, ...nameAnnotations(name) }));
  }

  /** Removes entries. @returns whether there were any */
  remove(target: RemovedEntries): boolean {
    const found = 'digest' in target ? this.#byDigest.of(target.digest) : this.#named(target.name);
    for (const at of found) this.#delete(at);
    return found.length > 0;
  }

  #named(name: string): number[] {
    const found = this.#byName.of(familiar(name));
    if (found.length > 0) return found;
    return [...this.#entries].filter(([, entry]) => entryNames(entry).foreign === name).map(([at]) => at);
  }

  /** Omission is a fact of the image: whoever adds it last decides it for all of its names. */
  #setOmission(digest: Digest, omission: Omission | undefined): void {
    const stated = JSON.stringify(omission);
    if (this.#omissions.has(digest) && this.#omissions.get(digest) === stated) return;
    this.#omissions.set(digest, stated);
    for (const at of this.#byDigest.of(digest)) {
      const entry = this.#entries.get(at);
      if (entry === undefined || JSON.stringify(statedOmission(entry.annotations ?? {})) === stated) continue;
      this.#put(at, toEntry(entry, withOmission(entry.annotations ?? {}, omission)));
    }
  }

  /** An entry that another tool named states the same as those that are named here: readers take the first one's word. */
  #setForeign(root: Descriptor, own: Record<string, string>): void {
    for (const at of this.#foreign.of(root.digest)) {
      const said = this.#entries.get(at)?.annotations?.[REF_NAME];
      if (said !== undefined) this.#put(at, toEntry(root, { ...own, [REF_NAME]: said }));
    }
  }

  /** Replaces the entry that has this name, if it is the same image; otherwise appends. */
  #setName(name: string, added: Descriptor): void {
    const isTaken = (at: number): boolean => isPossiblySame(this.#entries.get(at)?.platform, added.platform);
    const taken = this.#byName.of(name).filter(isTaken);
    const same = taken.find((at) => this.#entries.get(at)?.digest === added.digest);
    for (const at of taken) if (at !== same) this.#delete(at);
    if (same === undefined) this.#append(added);
    else this.#put(same, added);
  }

  #append(entry: Descriptor): void {
    this.#put(this.#next, entry);
    this.#next += 1;
  }

  #put(at: number, entry: Descriptor): void {
    this.#delete(at);
    const name = entryName(entry);
    this.#entries.set(at, entry);
    this.#byDigest.add(entry.digest, at);
    if (name !== undefined) this.#byName.add(name, at);
    else if (entry.annotations?.[REF_NAME] === undefined) this.#nameless.add(entry.digest, at);
    else if (!isCosignEntry(entry)) this.#foreign.add(entry.digest, at);
  }

  #delete(at: number): void {
    const entry = this.#entries.get(at);
    if (entry === undefined) return;
    this.#entries.delete(at);
    this.#byDigest.delete(entry.digest, at);
    this.#nameless.delete(entry.digest, at);
    this.#foreign.delete(entry.digest, at);
    this.#byName.delete(entryName(entry) ?? '', at);
  }
}

/** Numbers of entries by what the entries have in common. */
class Groups<K> {
  readonly #groups = new Map<K, Set<number>>();

  /** In order. */
  of(key: K): number[] {
    return [...(this.#groups.get(key) ?? [])].toSorted((a, b) => a - b);
  }

  add(key: K, at: number): void {
    this.#groups.set(key, (this.#groups.get(key) ?? new Set<number>()).add(at));
  }

  delete(key: K, at: number): void {
    this.#groups.get(key)?.delete(at);
  }
}

/** An unknown platform may be any. */
function isPossiblySame(a: Platform | undefined, b: Platform | undefined): boolean {
  return a === undefined || b === undefined || isSamePlatform(a, b);
}

/** The same entry always gives the same bytes: keys in order, nothing empty. */
function toEntry(root: Descriptor, annotations: Record<string, string>): Descriptor {
  const { mediaType, digest, size, annotations: _annotations, data: _data, ...rest } = root;
  const sorted = Object.entries(annotations).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const named = sorted.length > 0 && { annotations: Object.fromEntries(sorted) };
  return { mediaType, digest, size, ...named, ...rest };
}
