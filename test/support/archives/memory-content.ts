import { Readable } from 'node:stream';
import type { BlobWriter, ContentSink } from '../../../src/content/sink.ts';
import type { ContentSource } from '../../../src/content/source.ts';
import { DrayageError } from '../../../src/errors.ts';
import type { Descriptor } from '../../../src/oci/descriptor.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { OCTET_STREAM } from '../../../src/oci/media-types.ts';
import { verified } from '../../../src/stream/verified.ts';

/** Content in memory, by digest. Tests may look into it, and damage it. */
export class MemoryContent implements ContentSource, ContentSink {
  readonly blobs: Map<string, Buffer> = new Map();
  /** How often each blob was opened. */
  readonly opened: Map<string, number> = new Map();

  has({ digest, size }: Descriptor): Promise<boolean> {
    return Promise.resolve(this.blobs.get(digest)?.length === size);
  }

  open(descriptor: Descriptor): Promise<Readable> {
    const { digest } = descriptor;
    const bytes = this.blobs.get(digest);
    if (bytes === undefined)
      return Promise.reject(new DrayageError('NOT_FOUND', `no blob ${digest}`, { digest }));
    this.opened.set(digest, (this.opened.get(digest) ?? 0) + 1);
    return Promise.resolve(Readable.from(verified(pieces(bytes), descriptor), { objectMode: false }));
  }

  async put(descriptor: Descriptor, bytes: AsyncIterable<Uint8Array>): Promise<void> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of verified(bytes, descriptor)) chunks.push(chunk);
    this.blobs.set(descriptor.digest, Buffer.concat(chunks));
  }

  begin(): Promise<BlobWriter> {
    const chunks: Uint8Array[] = [];
    return Promise.resolve({
      write: (chunk) => Promise.resolve(void chunks.push(Buffer.from(chunk))),
      commit: ({ mediaType = OCTET_STREAM } = {}) =>
        Promise.resolve(this.add(Buffer.concat(chunks), mediaType)),
      abort: () => Promise.resolve(),
    });
  }

  /** Stores bytes and describes them. */
  add(bytes: Buffer, mediaType: string): Descriptor {
    const descriptor = { mediaType, digest: digestOf(bytes), size: bytes.length };
    this.blobs.set(descriptor.digest, bytes);
    return descriptor;
  }
}

async function* pieces(bytes: Buffer): AsyncGenerator<Uint8Array, void, undefined> {
  for (let i = 0; i < bytes.length; i += 65_536) yield bytes.subarray(i, i + 65_536);
}
