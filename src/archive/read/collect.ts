import type { IngestLayer } from '../../content/layer.ts';
import type { ContentSink } from '../../content/sink.ts';
import type { ContentOptions, ContentSource } from '../../content/source.ts';
import { writeBlob } from '../../content/sink.ts';
import { DrayageError } from '../../errors.ts';
import type { Digest } from '../../oci/digest.ts';
import { createDigester, digestAlgorithm, digestOf } from '../../oci/digest.ts';
import type { Compression } from '../../oci/media-types.ts';
import { MAX_DOCUMENT_SIZE } from '../../oci/parse.ts';
import { detectCompression, isReadable } from '../../stream/codecs.ts';
import type { Found } from './contents.ts';
import { layerDigest, promisedDigest } from './contents.ts';
import { tap } from '../../stream/tap.ts';
import { entryPath, linkTarget } from '../tar/entry-name.ts';
import { Pending } from './pending.ts';
import { BLOCK, hasChecksum, isZero, quote } from '../tar/header.ts';
import type { TarEntry } from '../tar/read.ts';
import { readTar } from '../tar/read.ts';
import { v1LayerNames } from './v1-id.ts';

/** Where an archive's content goes while it passes. */
export interface CollectOptions extends ContentOptions {
  ingest: IngestLayer;
  content: ContentSource & ContentSink;
  /** The diffIDs of images that are to come. */
  expected?: readonly (readonly Digest[])[];
}

/** What an archive held. */
interface Collected {
  entries: Map<string, Found>;
  /** The error to throw if something is missing: the archive ended between two entries, without its end. */
  unended: DrayageError | undefined;
}

/** Maximum size of non-layer content in memory, in bytes. What goes beyond it is stored. */
export const MAX_HELD: number = 64 * 1024 * 1024;
/** How much of names and of links' targets is held in memory over all, in bytes. */
const MAX_NAMES = 32 * 1024 * 1024;

/**
 * Takes an archive's entries as they pass, without knowing yet what any of them is for: layers are ingested, small files
 * held, others stored as they are, links remembered. An entry may come again with the same content.
 * @throws {@link DrayageError} as of {@link readTar}; also `MALFORMED` for names that lead elsewhere or have two contents, and
 * whatever `ingest` and `content` throw
 */
export async function collect(bytes: AsyncIterable<Uint8Array>, options: CollectOptions): Promise<Collected> {
  const collector = new Collector(options);
  let unended: DrayageError | undefined;
  try {
    for await (const entry of readTar(bytes, { onUnended: (error) => (unended = error) }))
      await collector.take(entry);
  } catch (error) {
    // What came first is what went wrong; later failures most likely follow from it.
    await collector.settle().catch(() => undefined);
    throw error;
  }
  await collector.settle();
  return { entries: collector.entries, unended };
}

class Collector {
  readonly entries = new Map<string, Found>();
  /** Of files and links, also of those that are still being stored. */
  readonly #names = new Set<string>();
  readonly #folders = new Set<string>();
  readonly #pending = new Pending();
  readonly #options: CollectOptions;
  readonly #expected: ReadonlyMap<string, Digest>;
  readonly #stated: ReadonlySet<Digest>;
  #held = 0;
  #named = 0;

  constructor(options: CollectOptions) {
    this.#options = options;
    const expected = (options.expected ?? []).flatMap((diffIds) => [...v1LayerNames(diffIds)]);
    this.#expected = new Map(expected);
    this.#stated = new Set(options.expected?.flat());
  }

  async take(entry: TarEntry): Promise<void> {
    const name = entryPath(entry.name);
    this.#named += Buffer.byteLength(entry.name) + Buffer.byteLength(entry.target);
    if (this.#named > MAX_NAMES) {
      throw new DrayageError('LIMIT', `the names of the archive's entries take up over ${MAX_NAMES} bytes`);
    }
    const isNew = this.#claim(name, entry.type);
    if (entry.type === 'directory') return;
    if (!isNew) await this.#assertSame(name, entry);
    else if (entry.type === 'file') await this.#takeFile(name, entry);
    else
      this.entries.set(name, {
        kind: 'link',
        target: linkTarget({ type: entry.type, name, target: entry.target }),
      });
  }

  /** Waits for what is still being stored, on success as on failure, so that nothing goes on after the end. */
  async settle(): Promise<void> {
    await this.#pending.settle(this.#options.signal);
  }

  /** @returns whether a file or a link of this name is the first one */
  #claim(name: string, type: TarEntry['type']): boolean {
    const isDirectory = type === 'directory';
    const isOther = isDirectory ? this.#names.has(name) : name === '' || this.#folders.has(name);
    if (isOther) throw twoContents(name);
    const names = isDirectory ? this.#folders : this.#names;
    return !names.has(name) && names.add(name).has(name);
  }

  /** Readers take either one of two entries of a name, so both must say the same. */
  async #assertSame(name: string, { type, target, bytes }: TarEntry): Promise<void> {
    let same: (found: Found | undefined) => boolean;
    if (type === 'file') {
      const digester = createDigester();
      for await (const chunk of bytes) digester.update(chunk);
      const digest = digester.digest();
      same = (found) => found !== undefined && found.kind !== 'link' && found.received.digest === digest;
    } else {
      const leadsTo = linkTarget({ type: type === 'symlink' ? type : 'hardlink', name, target });
      same = (found) => found?.kind === 'link' && found.target === leadsTo;
    }
    // The first one may still be on its way.
    await this.settle();
    if (!same(this.entries.get(name))) throw twoContents(name);
  }

  async #takeFile(name: string, entry: TarEntry): Promise<void> {
    const { bytes } = entry;
    const compression = layerCompression(await bytes.peek(BLOCK));
    if (compression !== undefined) await this.#ingest(name, entry, compression);
    else if (entry.size <= MAX_DOCUMENT_SIZE && this.#held + entry.size <= MAX_HELD)
      await this.#hold(name, bytes);
    else await this.#store(name, bytes);
  }

  /** Goes on as soon as the layer's last byte has been read: what remains to be done for it overlaps with the next one. */
  async #ingest(name: string, { bytes }: TarEntry, compression: Compression): Promise<void> {
    await this.#pending.run(bytes.drained, async () => {
      const named = namedBytes(name, bytes);
      // Layers are known by their sha256.
      const promised =
        named.digest === undefined ? (layerDigest(name) ?? this.#expected.get(name)) : undefined;
      const isStated = promised !== undefined && this.#stated.has(promised);
      const hint = { entry: name, promised, isStated, compression };
      const layer = await this.#options.ingest(named.bytes, hint);
      this.entries.set(name, { kind: 'layer', layer, received: layer.received, ...named.digest?.() });
    });
  }

  async #hold(name: string, bytes: AsyncIterable<Uint8Array>): Promise<void> {
    const chunks: Uint8Array[] = [];
    const named = namedBytes(name, bytes);
    for await (const chunk of named.bytes) chunks.push(chunk);
    const held = Buffer.concat(chunks);
    this.#held += held.length;
    const received = { digest: digestOf(held), size: held.length };
    this.entries.set(name, { kind: 'held', bytes: held, received, ...named.digest?.() });
  }

  async #store(name: string, bytes: AsyncIterable<Uint8Array>): Promise<void> {
    const writer = await this.#options.content.begin({ signal: this.#options.signal });
    const named = namedBytes(name, bytes);
    const received = await writeBlob(writer, named.bytes);
    this.entries.set(name, { kind: 'stored', received, ...named.digest?.() });
  }
}

/**
 * How content that begins so is compressed, where it is a layer: a tar archive, an empty one too, or one that is compressed in
 * a way that is read. Undefined where it is no layer.
 */
function layerCompression(head: Uint8Array): Compression | undefined {
  const detected = detectCompression(head);
  if (detected !== 'none') return isReadable(detected) ? detected : undefined;
  return head.length >= BLOCK && (hasChecksum(head) || isZero(head)) ? 'none' : undefined;
}

/** Hashes bytes as their entry's name promises, if that is another digest than the sha256 of each entry. */
function namedBytes(
  name: string,
  bytes: AsyncIterable<Uint8Array>,
): { bytes: AsyncIterable<Uint8Array>; digest?: () => { sha512: Digest } } {
  const promised = promisedDigest(name);
  if (promised === undefined || digestAlgorithm(promised) !== 'sha512') return { bytes };
  const digester = createDigester('sha512');
  return {
    bytes: tap(bytes, (chunk) => digester.update(chunk)),
    digest: () => ({ sha512: digester.digest() }),
  };
}

function twoContents(name: string): DrayageError {
  return new DrayageError('MALFORMED', `the archive holds ${quote(name)} twice, with different contents`, {
    entry: name,
  });
}
