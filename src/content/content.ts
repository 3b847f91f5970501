import type { Readable } from 'node:stream';
import { DrayageError } from '../errors.ts';
import type { ImageConfig } from '../oci/config.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { Platform } from '../oci/platform.ts';

/** What every operation on content takes. */
export interface ContentOptions {
  /** Ends the operation; it rejects with `signal.reason`. */
  signal?: AbortSignal | undefined;
}

/** Options of {@link ContentSource.open}. */
export interface OpenOptions extends ContentOptions {
  /** Skips this many bytes. Such a stream cannot be checked against its digest; the reader has to. Default 0. */
  offset?: number | undefined;
  /**
   * Spares the hashing where the source has hashed this content before and can tell that it has not changed since. The
   * promise of {@link ContentSource.open} stays the same. Default false.
   */
  trustUnchanged?: boolean | undefined;
  /**
   * Spares a source that would have to find out what the content holds once it is decompressed, since the reader holds it
   * against a diffID. Default false.
   */
  diffIdChecked?: boolean | undefined;
}

/** Where content is read from: a layout, a cache, an opened archive, a job artifact, a registry. */
export interface ContentSource {
  /** Whether there is content of this digest and size. Says nothing about whether its bytes are intact. */
  has(descriptor: Descriptor, options?: ContentOptions): Promise<boolean>;
  /**
   * Opens content. The stream ends well only if it was the content that `descriptor` names, to the last byte: until then
   * nothing read from it may be relied on.
   * @throws {@link DrayageError} `NOT_FOUND`; from the stream: `DIGEST_MISMATCH`, `SIZE_MISMATCH`
   */
  open(descriptor: Descriptor, options?: OpenOptions): Promise<Readable>;
}

/** Where content is stored. */
export interface ContentSink {
  /**
   * Stores content. Success means that it is stored and verified, by whomever: where it was there already, `bytes` may be
   * left unread.
   * @throws {@link DrayageError} `DIGEST_MISMATCH`, `SIZE_MISMATCH`, `IO`; nothing is stored then
   */
  put(descriptor: Descriptor, bytes: AsyncIterable<Uint8Array>, options?: ContentOptions): Promise<void>;
  /** Begins a blob whose digest is not known yet. */
  begin(options?: BeginOptions): Promise<BlobWriter>;
}

/** Options of {@link ContentSink.begin}. */
export interface BeginOptions extends ContentOptions {
  /** Computes the digest of a large blob in the sink's place, where that writes a file. Default: the sink does it, as it writes. */
  digestFile?: ((path: string) => FileDigester) | undefined;
}

/** Computes the digest of a file that is being written. One of `digest` and `drop` has to be called. */
export interface FileDigester {
  /** Hears that the file's first `size` bytes can be read. */
  grown(size: number): void;
  /** The digest of what it heard of; to be called once. */
  digest(): Promise<Digest>;
  /** Gives up, and has let go of the file when this resolves. */
  drop(): Promise<void>;
}

/**
 * A blob that is being written. It becomes visible as a whole at `commit`, or not at all. One of `commit` and `abort` has
 * to be called; after either, neither does anything more.
 */
export interface BlobWriter {
  /** Appends; resolves when the next chunk is welcome. The chunk must stay as it is until the blob is committed or aborted. */
  write(chunk: Uint8Array): Promise<void>;
  /** The digest of all that was written, before it is decided what becomes of it. Nothing may be written any more. */
  digest(): Promise<Digest>;
  /**
   * Ends the blob and stores it.
   * @param expected what is known of it: a digest or size that differs is an error; `mediaType` is taken over, default
   * `application/octet-stream`
   * @throws {@link DrayageError} `DIGEST_MISMATCH`, `SIZE_MISMATCH`, `IO`
   */
  commit(expected?: Partial<Descriptor>): Promise<Descriptor>;
  /** Drops what was written. */
  abort(): Promise<void>;
}

/**
 * Writes all of a blob and commits it; where anything fails, drops what was written.
 * @param expected as of {@link BlobWriter.commit}
 */
export async function writeBlob(
  writer: BlobWriter,
  bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  expected?: Partial<Descriptor>,
): Promise<Descriptor> {
  try {
    for await (const chunk of bytes) await writer.write(chunk);
    return await writer.commit(expected);
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

/** An image in an {@link ImageIndex}: its root, and the names it goes by. */
export interface StoredImage {
  /** The manifest, or the image index of a multi-platform image. */
  root: Descriptor;
  /** Familiar references, `temp:latest`; none where the image has no name. */
  names: string[];
  annotations: Record<string, string>;
  /** The bare word of another tool by which it was asked for; only where it was. */
  foundAs?: string | undefined;
}

/** The images of a place, by name. */
export interface ImageIndex {
  /** All images, in the order in which they were added. */
  images(options?: ContentOptions): Promise<StoredImage[]>;
  /**
   * Finds one image by name, digest (of its root or its config, also shortened) or by unique tag.
   * @param options `platform` says which one, where several have the name
   * @throws {@link DrayageError} `NOT_FOUND` with the names that exist, `AMBIGUOUS`
   */
  resolve(
    reference: string,
    options?: ContentOptions & { platform?: Platform | undefined },
  ): Promise<StoredImage>;
  /** What refers to this content by `subject`: signatures, SBOMs. */
  referrers(descriptor: Descriptor, options?: ContentOptions): Promise<Descriptor[]>;
}

/** Which images of a place may be used. */
export interface ImagePolicy {
  /**
   * Chooses among images by what their place says of them, before anything else is read.
   * @param note hears why an image is left out, in one line
   * @throws {@link DrayageError} `POLICY` where none may be used
   */
  choose(images: readonly StoredImage[], note: (message: string) => void): StoredImage[];
  /**
   * Looks at an image that was chosen, before its first layer is read.
   * @throws {@link DrayageError} `POLICY`
   */
  check(image: StoredImage, config: ImageConfig): void;
}

/**
 * Looks at who made an image, before anything of it is used.
 * @param place holds the image and what refers to it
 * @returns the referrers that vouch for it
 * @throws {@link DrayageError} `POLICY` where that is not shown
 */
export type Authenticate = (
  image: StoredImage,
  place: ContentSource & ImageIndex,
  options?: ContentOptions,
) => Promise<readonly Descriptor[]>;

/** A layer's bytes as they arrive, with what is known of them before the first byte. */
export interface LayerHint {
  /** The archive entry or the digest that names them, for errors. */
  entry: string;
  /** Bytes to come. */
  size: number;
  /** What their digest is said to be. It decides what is worth storing; the bytes are held against it. */
  promised?: Digest;
}

/** What is known of a layer after its bytes have passed. */
export interface IngestedLayer {
  /** The bytes as they arrived. */
  received: { digest: Digest; size: number };
  /** Digest of the uncompressed bytes. */
  diffId: Digest;
  /** In bytes; null where its bytes were not read: the blob was there already. */
  uncompressedSize: number | null;
  /** The blob that is stored: as it arrived where it was compressed already. */
  blob: Descriptor;
  status: 'written' | 'reused';
}

/** Turns a layer's bytes into a stored blob, in one pass. */
export type IngestLayer = (bytes: AsyncIterable<Uint8Array>, hint: LayerHint) => Promise<IngestedLayer>;

/** Reads from the first of several places that has the content. */
export function chainSources(sources: readonly ContentSource[]): ContentSource {
  const find = async (
    descriptor: Descriptor,
    options?: ContentOptions,
  ): Promise<ContentSource | undefined> => {
    for (const source of sources) if (await source.has(descriptor, options)) return source;
    return undefined;
  };
  return {
    has: async (descriptor, options) => (await find(descriptor, options)) !== undefined,
    open: async (descriptor, options) => {
      const source = (await find(descriptor, options)) ?? sources[0];
      if (source === undefined) throw new DrayageError('NOT_FOUND', `no place holds ${descriptor.digest}`);
      return source.open(descriptor, options);
    },
  };
}
