import { DrayageError, isUnusable } from '../../errors.ts';
import type { ContentOptions } from '../../content/source.ts';
import { walk } from '../../image/contents.ts';
import { isImageManifest } from '../../image/documents.ts';
import type { ListedImage } from '../../listing/entries.ts';
import { groupEntries } from '../../listing/entries.ts';
import type { EntryKind } from '../../listing/kinds.ts';
import { readKind } from '../../listing/kinds.ts';
import type { SortedEntries } from '../../listing/sort-entries.ts';
import { sortEntries } from '../../listing/sort-entries.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import type { LayoutEntries, UnreadEntry } from '../../oci/image-index.ts';
import type { ArchiveContent } from './archive-content.ts';

/** How many documents index.json may lead to. */
const MAX_DOCUMENTS = 10_000;

/** What a walk from the entries has found. */
interface Found {
  entries: readonly Descriptor[];
  unread: readonly UnreadEntry[];
  byBlobs: ReadonlyMap<string, Candidates>;
  whole: ReadonlySet<Digest>;
  configs: ReadonlyMap<string, ReadonlySet<Digest>>;
}

/** The entries of index.json that lead to an image of these blobs. */
interface Candidates {
  first: ListedImage;
  named: Map<string, ListedImage>;
}

/**
 * The entries of an index.json that stands beside a manifest.json, by the blobs of the images that they lead to. It only adds
 * documents and images: damage to it does no harm.
 */
export class OwnDocuments {
  /** The entries whose documents can be read. */
  readonly entries: readonly Descriptor[];
  /** The entries that name no content that could be read. */
  readonly unread: readonly UnreadEntry[];
  readonly #content: ArchiveContent;
  readonly #byBlobs: ReadonlyMap<string, Candidates>;
  /** The entries that lead to an image with all of its blobs. */
  readonly #whole: ReadonlySet<Digest>;
  /** The configs of the images that each name means and that have all of their blobs. */
  readonly #configs: ReadonlyMap<string, ReadonlySet<Digest>>;

  private constructor(content: ArchiveContent, { entries, unread, byBlobs, whole, configs }: Found) {
    this.entries = entries;
    this.unread = unread;
    this.#content = content;
    this.#byBlobs = byBlobs;
    this.#whole = whole;
    this.#configs = configs;
  }

  static async read(
    content: ArchiveContent,
    { manifests, unread }: LayoutEntries,
    options: ContentOptions,
  ): Promise<OwnDocuments> {
    const byBlobs = new Map<string, Candidates>();
    const readable = new Set<Digest>();
    const whole = new Set<Digest>();
    const configs = new Map<string, Set<Digest>>();
    let count = 0;
    for (const entry of groupEntries(manifests)) {
      try {
        for await (const node of walk(content, entry.root, { ...options, onDamaged: ignore })) {
          if (node.kind === 'blob') continue;
          if (++count > MAX_DOCUMENTS)
            throw new DrayageError('LIMIT', `index.json leads to over ${MAX_DOCUMENTS} documents`);
          if (node.kind !== 'manifest' || !isImageManifest(node.document)) continue;
          const { config, layers } = node.document.value;
          const isWhole = [config, ...layers].every((blob) => content.availability(blob) !== 'absent');
          const received = (blob: Descriptor): { digest: Digest } => ({ digest: content.received(blob) });
          if (!isWhole) continue;
          whole.add(entry.root.digest);
          note(byBlobs, keyOf(received(config), layers.map(received)), entry);
          for (const name of entry.names)
            configs.set(name, (configs.get(name) ?? new Set()).add(content.received(config)));
        }
        readable.add(entry.root.digest);
      } catch (error) {
        if (!isUnusable(error)) throw error;
      }
    }
    return new OwnDocuments(content, {
      entries: manifests.filter(({ digest }) => readable.has(digest)),
      unread,
      byBlobs,
      whole,
      configs,
    });
  }

  /** The images that have all of their blobs, at least for one platform, and a line for each entry that is skipped. */
  async images(options: ContentOptions): Promise<SortedEntries> {
    const kindOf = async (root: Descriptor): Promise<EntryKind> => readKind(this.#content, root, options);
    const { images, notes } = await sortEntries(
      { manifests: [...this.entries], unread: [...this.unread] },
      kindOf,
    );
    return { images: images.filter(({ root }) => this.#whole.has(root.digest)), notes };
  }

  /** Whether a name means another image here: a whole one, and none with this config. */
  contradicts(name: string, { digest }: Pick<Descriptor, 'digest'>): boolean {
    return this.#configs.get(name)?.has(digest) === false;
  }

  /** The entry that leads to an image of these blobs; one of this name comes first. */
  find(
    config: Pick<Descriptor, 'digest'>,
    layers: readonly Pick<Descriptor, 'digest'>[],
    name: string | undefined,
  ): ListedImage | undefined {
    const found = this.#byBlobs.get(keyOf(config, layers));
    return (name === undefined ? undefined : found?.named.get(name)) ?? found?.first;
  }
}

function note(byBlobs: Map<string, Candidates>, key: string, entry: ListedImage): void {
  const found = byBlobs.get(key) ?? { first: entry, named: new Map<string, ListedImage>() };
  byBlobs.set(key, found);
  for (const name of entry.names) found.named.set(name, found.named.get(name) ?? entry);
}

function keyOf(config: { digest: Digest }, layers: readonly { digest: Digest }[]): string {
  return [config, ...layers].map(({ digest }) => digest).join(' ');
}

function ignore(): void {}
