import { Readable } from 'node:stream';
import type { BlobWriter, ContentSink } from '../../src/content/sink.ts';
import type { ContentOptions, ContentSource, OpenOptions } from '../../src/content/source.ts';
import { DrayageError } from '../../src/errors.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { digestAlgorithm, digestOf } from '../../src/oci/digest.ts';
import { digestMismatch, sizeMismatch, verified } from '../../src/stream/verified.ts';

/** Content in memory: a real source and sink, for tests that need no disk. */
export class MemoryContent implements ContentSource, ContentSink {
  /** What is held. A test may put damaged bytes under a digest. */
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
    const chunks = pieces(bytes.subarray(offset), signal);
    return Readable.from(offset > 0 ? chunks : verified(chunks, descriptor), { objectMode: false });
  }

  async put(
    descriptor: Descriptor,
    bytes: AsyncIterable<Uint8Array>,
    options?: ContentOptions,
  ): Promise<void> {
    const held = this.blobs.get(descriptor.digest);
    if (held !== undefined && digestOf(held, digestAlgorithm(descriptor.digest)) === descriptor.digest)
      return;
    const writer = await this.begin(options);
    for await (const chunk of bytes) await writer.write(chunk);
    await writer.commit(descriptor);
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
        chunks.push(Uint8Array.from(chunk));
      },
      commit: async (expected) => {
        assertOpen();
        result ??= this.#store(Buffer.concat(chunks), expected);
        return result;
      },
      abort: async () => {
        isAborted ||= result === undefined;
      },
    };
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

/** Bytes in pieces of a few bytes each: no reader may rely on the size of chunks. */
async function* pieces(bytes: Uint8Array, signal?: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
  const step = Math.max(7, Math.ceil(bytes.length / 50));
  for (let i = 0; i < bytes.length; i += step) {
    signal?.throwIfAborted();
    yield bytes.subarray(i, i + step);
  }
}
