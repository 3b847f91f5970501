import type { IngestedLayer, IngestLayer } from '../../content/layer.ts';
import type { ContentOptions, ContentSource } from '../../content/source.ts';
import { DrayageError } from '../../errors.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { bareDescriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { digestAlgorithm, isDigest } from '../../oci/digest.ts';
import type { Document } from '../../oci/manifest.ts';
import { assertDocumentSize, readDocument } from '../../stream/document.ts';
import { digestMismatch, sizeMismatch } from '../../stream/verified.ts';
import { entryPath } from '../tar/entry-name.ts';
import { quote } from '../tar/header.ts';
import { memoize } from './memoize.ts';
import { blobName } from '../../oci/layout.ts';

/** The digest and the size of an entry's bytes, as they came. */
type Received = IngestedLayer['received'];

/** The digest of an entry whose name promises a sha512, beside the sha256 that each entry has. */
interface Named {
  sha512?: Digest;
}

/** An entry that was not taken for a layer: in memory where it is small, or stored as it came. */
type FoundFile = Named &
  ({ kind: 'held'; bytes: Buffer; received: Received } | { kind: 'stored'; received: Descriptor });

/** An entry with content. A layer was taken for one by its first bytes. */
type FoundContent = FoundFile | (Named & { kind: 'layer'; layer: IngestedLayer; received: Received });

/** An entry of an archive that has passed. A link may be symbolic or hard. */
export type Found = FoundContent | { kind: 'link'; target: string };

/** What is needed to turn entries into documents and layers. */
export interface ContentsAccess extends ContentOptions {
  ingest: IngestLayer;
  content: ContentSource;
}

/** An archive in errors, as the place that holds images. */
export const ARCHIVE = 'the archive';
/** How many links may follow one another. */
const MAX_LINKS = 16;

/** All that an archive held, by name, when it has passed. */
export class ArchiveContents {
  readonly #entries: ReadonlyMap<string, Found>;
  readonly #access: ContentsAccess;

  constructor(entries: ReadonlyMap<string, Found>, access: ContentsAccess) {
    this.#entries = entries;
    this.#access = access;
  }

  /** The names of all files and links. */
  names(): Iterable<string> {
    return this.#entries.keys();
  }

  /** Whether there is a file or a link of this name. */
  has(name: string): boolean {
    return this.#entries.has(name);
  }

  /**
   * A small file whole, with the descriptor of its bytes. Where the name is a digest, they are held against it.
   * @throws {@link DrayageError} `INCOMPLETE`, `LIMIT`, `DIGEST_MISMATCH`, `MALFORMED` where it is a layer
   */
  async document(name: string, mediaType: string): Promise<Document> {
    const { found, at } = this.#follow(name);
    if (found.kind === 'layer') throw malformed(name, 'is a layer where a document should be');
    assertNamed(at, found);
    const { digest, size } = found.received;
    return { descriptor: { mediaType, digest, size }, bytes: await this.#bytes(found) };
  }

  /**
   * A layer by the name of its entry. Where the name is a digest, the bytes that came are held against it.
   * @throws {@link DrayageError} `INCOMPLETE`, `DIGEST_MISMATCH`, and what `ingest` throws
   */
  async layer(name: string): Promise<IngestedLayer> {
    const { found, at } = this.#follow(name);
    assertNamed(at, found);
    return found.kind === 'layer' ? found.layer : this.#lateLayer({ at, found });
  }

  /**
   * What there is of a blob, by its digest; undefined where it is absent.
   * @throws {@link DrayageError} `DIGEST_MISMATCH`, `SIZE_MISMATCH`, `UNSUPPORTED`
   */
  blob(descriptor: Descriptor): FoundContent | undefined {
    const name = blobName(descriptor.digest);
    if (!this.has(name)) return undefined;
    const { found } = this.#follow(name);
    const { received } = found;
    const what = `archive entry ${name}`;
    const actual = digestLike(descriptor.digest, found);
    if (actual !== descriptor.digest) throw digestMismatch(descriptor, actual, what);
    if (received.size !== descriptor.size) throw sizeMismatch(descriptor, received.size, what);
    return found;
  }

  /** The layer whose entry's name is this digest. Errors as of {@link layer}, also `SIZE_MISMATCH`. */
  async layerBlob(descriptor: Descriptor): Promise<IngestedLayer> {
    if (this.blob(descriptor) === undefined) throw missing(blobName(descriptor.digest), descriptor.digest);
    return this.layer(blobName(descriptor.digest));
  }

  /** The document whose entry's name is this digest; undefined where it is absent. Errors as of {@link blob}, also `LIMIT`. */
  async documentBlob(descriptor: Descriptor): Promise<Document | undefined> {
    const found = this.blob(descriptor);
    if (found === undefined || found.kind === 'layer') return undefined;
    return { descriptor: bareDescriptor(descriptor), bytes: await this.#bytes(found) };
  }

  #follow(name: string): { found: FoundContent; at: string } {
    let at = entryPath(name);
    for (let links = 0; links <= MAX_LINKS; links++) {
      const found = this.#entries.get(at);
      if (found === undefined) throw missing(at, undefined, at === name ? undefined : name);
      if (found.kind !== 'link') return { found, at };
      at = found.target;
    }
    throw malformed(name, `is a link that leads nowhere, after ${MAX_LINKS} others`);
  }

  async #bytes(found: FoundFile): Promise<Buffer> {
    return found.kind === 'held' ? found.bytes : this.#read(found.received);
  }

  /** By digest: many names may lead to one large document. */
  readonly #read = memoize(
    async (descriptor: Descriptor): Promise<Buffer> => {
      // Before it is opened: what is refused for its size would stay open.
      assertDocumentSize(descriptor);
      const { content, signal } = this.#access;
      return readDocument(await content.open(descriptor, { signal }), descriptor);
    },
    ({ digest }) => digest,
  );

  /** An entry that is a layer after all: empty, or of a kind whose first bytes did not tell. */
  readonly #lateLayer = memoize(
    async ({ at, found }: { at: string; found: FoundFile }): Promise<IngestedLayer> => {
      const { content, ingest, signal } = this.#access;
      const bytes =
        found.kind === 'held' ? once(found.bytes) : await content.open(found.received, { signal });
      return ingest(bytes, { entry: at });
    },
    ({ at }) => at,
  );
}

/** The digest that an entry's name promises, if it promises one. */
export function promisedDigest(name: string): Digest | undefined {
  const [blobs, algorithm, hex, ...rest] = name.split('/');
  const digest = `${algorithm}:${hex}`;
  return blobs === 'blobs' && rest.length === 0 && isDigest(digest) ? digest : undefined;
}

/**
 * What a layer's digest is said to be by the name of its entry: a blob's, or podman's `<diffID>.tar`. Others name their
 * layers `<hex>.tar` too, by another hex: of that name alone nothing follows.
 */
export function layerDigest(name: string): Digest | undefined {
  const digest = `sha256:${/^([0-9a-f]{64})\.tar$/.exec(name)?.[1]}`;
  return isDigest(digest) ? digest : promisedDigest(name);
}

function assertNamed(name: string, found: FoundContent): void {
  const digest = promisedDigest(name);
  if (digest === undefined) return;
  const actual = digestLike(digest, found);
  if (digest === actual) return;
  const expected = { digest, size: found.received.size };
  const { message, facts } = digestMismatch(expected, actual, `archive entry ${name}`);
  throw new DrayageError('DIGEST_MISMATCH', message, { ...facts, entry: name });
}

/** An entry's digest by the algorithm of another. What passed cannot be read again: links from other names have none. */
function digestLike(digest: Digest, { received, sha512 }: FoundContent): Digest {
  if (digestAlgorithm(digest) === 'sha256') return received.digest;
  if (sha512 !== undefined) return sha512;
  throw new DrayageError('UNSUPPORTED', 'archives with links between blobs of two algorithms are not read', {
    digest,
  });
}

/** The error for an entry that is not in the archive. */
export function missing(name: string, digest?: Digest, link?: string): DrayageError {
  const via = link === undefined ? '' : `, which ${quote(link)} leads to`;
  const named = digest ?? promisedDigest(name);
  return new DrayageError('INCOMPLETE', `the archive lacks ${quote(name)}${via}`, {
    entry: name,
    digest: named,
  });
}

function malformed(name: string, why: string): DrayageError {
  return new DrayageError('MALFORMED', `archive entry ${quote(name)} ${why}`, { entry: name });
}

async function* once(bytes: Buffer): AsyncGenerator<Uint8Array, void, undefined> {
  if (bytes.length > 0) yield bytes;
}
