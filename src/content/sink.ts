import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { ContentOptions } from './source.ts';

/** Where content is stored. */
export interface ContentSink {
  /**
   * Stores content. Success means that it is stored and verified, by anybody: if it was stored already, `bytes` may
   * stay unread.
   * @throws {@link DrayageError} `DIGEST_MISMATCH`, `SIZE_MISMATCH`, `IO`; then nothing is stored
   */
  put(descriptor: Descriptor, bytes: AsyncIterable<Uint8Array>, options?: ContentOptions): Promise<void>;
  /** Begins a blob whose digest is not known yet. */
  begin(options?: BeginOptions): Promise<BlobWriter>;
  /**
   * Keeps bytes until all have come, and then gives them back, once. They are not stored, and nothing is left of them when
   * they have been read. Absent if the sink has no place for temporary bytes.
   */
  spool?(bytes: AsyncIterable<Uint8Array>, options?: ContentOptions): AsyncIterable<Uint8Array>;
}

/** Options of {@link ContentSink.begin}. */
export interface BeginOptions extends ContentOptions {
  /**
   * Computes the digest of a large blob for a sink that writes a file, given by its path or its open descriptor. Default:
   * the sink computes it while it writes.
   */
  digestFile?: ((file: string | number) => FileDigester) | undefined;
}

/** Computes the digest of a file that is being written. Call either `digest` or `drop`. */
export interface FileDigester {
  /** Says that the file's first `size` bytes can be read. */
  grown(size: number): void;
  /** The digest of those bytes; call once. */
  digest(): Promise<Digest>;
  /** Cancels; the file is closed when this resolves. */
  drop(): Promise<void>;
}

/**
 * A blob that is being written. It becomes visible as a whole at `commit`, or not at all. Call either `commit` or
 * `abort`; after that, both do nothing.
 */
export interface BlobWriter {
  /**
   * Appends; resolves when the next chunk may come. The chunk must not change until it is flushed, or the blob is committed
   * or aborted.
   */
  write(chunk: Uint8Array): Promise<void>;
  /** Resolves when the chunks so far may change again. Absent if the writer keeps them to the end. */
  flush?: (() => Promise<void>) | undefined;
  /**
   * Ends the blob and stores it.
   * @param expected the known facts: another digest or size is an error; `mediaType` is used as it is, default
   * `application/octet-stream`
   * @throws {@link DrayageError} `DIGEST_MISMATCH`, `SIZE_MISMATCH`, `IO`
   */
  commit(expected?: Partial<Descriptor>): Promise<Descriptor>;
  /** Drops what was written. */
  abort(): Promise<void>;
}

/**
 * Writes a whole blob and commits it. After a failure, drops what was written.
 * @param expected as in {@link BlobWriter.commit}
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
