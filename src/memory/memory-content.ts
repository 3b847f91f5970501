import { Readable } from 'node:stream';
import type { BlobWriter, ContentSink } from '../content/sink.ts';
import type { ContentOptions, ContentSource, OpenOptions } from '../content/source.ts';
import { writeBlob } from '../content/sink.ts';
import { DrayageError } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { digestAlgorithm, digestOf } from '../oci/digest.ts';
import { digestMismatch, sizeMismatch, verified } from '../stream/verified.ts';

const PIECE = 64 * 1024;

/** Blobs in memory, by their digests. What is read is checked as everywhere. */
export class MemoryContent implements ContentSource, ContentSink {
  readonly blobs: Map<Digest, Uint8Array> = new Map<Digest, Uint8Array>();

  constructor(blobs: Iterable<Uint8Array> = []) {
    for (const bytes of blobs) this.blobs.set(digestOf(bytes), bytes);
  }

  async has(descriptor: Descriptor, { signal }: ContentOptions = {}): Promise<boolean> {
    signal?.throwIfAborted();
    return this.blobs.get(descriptor.digest)?.length === descriptor.size;
  }

  async open(descriptor: Descriptor, { offset = 0, signal }: OpenOptions = {}): Promise<Readable> {
    signal?.throwIfAborted();
    const bytes = this.blobs.get(descriptor.digest);
    if (bytes === undefined) {
      throw new DrayageError('NOT_FOUND', `no blob ${descriptor.digest}`, { digest: descriptor.digest });
    }
    const pieces = inPieces(bytes.subarray(offset), this.pieceSize(bytes.length), signal);
    return Readable.from(offset > 0 ? pieces : verified(pieces, descriptor), { objectMode: false });
  }

  async put(
    descriptor: Descriptor,
    bytes: AsyncIterable<Uint8Array>,
    options?: ContentOptions,
  ): Promise<void> {
    const { digest, size } = descriptor;
    const held = this.blobs.get(digest);
    const isIntact = held?.length === size && digestOf(held, digestAlgorithm(digest)) === digest;
    if (isIntact) return;
    await writeBlob(await this.begin(options), bytes, descriptor);
  }

  async begin({ signal }: ContentOptions = {}): Promise<BlobWriter> {
    signal?.throwIfAborted();
    const chunks: Uint8Array[] = [];
    let result: Promise<Descriptor> | undefined;
    let isAborted = false;
    const assertOpen = (): void => {
      signal?.throwIfAborted();
      if (isAborted) throw new DrayageError('USAGE', 'the blob was aborted');
    };
    return {
      write: async (chunk) => {
        assertOpen();
        if (result !== undefined) throw new DrayageError('USAGE', 'the blob is whole');
        chunks.push(chunk);
      },
      commit: async (expected) => {
        assertOpen();
        result ??= this.#store(Buffer.concat(chunks), expected);
        return result;
      },
      abort: async () => {
        isAborted ||= result === undefined;
        chunks.length = 0;
      },
    };
  }

  /** How many bytes a reader gets at a time. */
  protected pieceSize(_size: number): number {
    return PIECE;
  }

  async #store(bytes: Buffer, expected: Partial<Descriptor> = {}): Promise<Descriptor> {
    const { mediaType = 'application/octet-stream', size = bytes.length } = expected;
    const actual = digestOf(bytes, expected.digest && digestAlgorithm(expected.digest));
    const { digest = actual } = expected;
    if (size !== bytes.length) throw sizeMismatch({ digest, size }, bytes.length, `blob ${digest}`);
    if (digest !== actual) throw digestMismatch({ digest, size }, actual, `blob ${digest}`);
    this.blobs.set(digest, bytes);
    return { mediaType, digest, size };
  }
}

async function* inPieces(
  bytes: Uint8Array,
  size: number,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  for (let i = 0; i < bytes.length; i += size) {
    signal?.throwIfAborted();
    yield bytes.subarray(i, i + size);
  }
}
