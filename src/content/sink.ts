import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { ContentOptions } from './source.ts';

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
