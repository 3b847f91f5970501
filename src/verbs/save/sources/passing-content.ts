import type { Readable } from 'node:stream';
import { MAX_HELD } from '../../../archive/read/collect.ts';
import { PassingArchive } from '../../../archive/read/passing-archive.ts';
import type { ImageEndpoint, SaveArchiveOptions } from '../../../content/endpoint.ts';
import type { IngestedLayer } from '../../../content/layer.ts';
import type { BlobWriter } from '../../../content/sink.ts';
import type { ContentOptions, ContentSource, OpenOptions } from '../../../content/source.ts';
import { DrayageError } from '../../../errors.ts';
import { MemoryContent } from '../../../memory/memory-content.ts';
import type { Descriptor } from '../../../oci/descriptor.ts';
import type { Digest } from '../../../oci/digest.ts';
import { abortable } from '../../../stream/abortable.ts';
import { ByteReader } from '../../../stream/byte-reader.ts';
import { eitherSignal } from '../../../stream/signals.ts';
import { derived } from '../../../stream/derived.ts';
import { verified } from '../../../stream/verified.ts';

/** Where a layer comes in the archives of a daemon. */
interface Passed {
  /** Its bytes, as they came. */
  received: IngestedLayer['received'];
  archive: PassingArchive;
  /** Requests the archive again, from this layer on if the daemon can. */
  request: () => Promise<Readable>;
  entry: string;
  position: number;
}

/** An archive that is being read, and how it is requested again. */
interface Reading {
  archive: PassingArchive;
  request: (held: NonNullable<SaveArchiveOptions['held']>) => Promise<Readable>;
}

/** What a daemon's images hold beside layers, and their layers, which pass again when they are opened. */
export class PassingContent implements ContentSource {
  readonly kept: MemoryContent = new KeptContent();
  /** The daemon; what it saves is noted here. */
  readonly recordedDaemon: ImageEndpoint;
  readonly #passed = new Map<Digest, Passed>();
  readonly #archives: PassingArchive[] = [];
  readonly #stop = new AbortController();
  #reading: Reading | undefined;
  /** How many layers have come. */
  #count = 0;

  constructor(
    daemon: ImageEndpoint,
    { platform, signal: given }: Pick<SaveArchiveOptions, 'platform' | 'signal'>,
  ) {
    const signal = eitherSignal(given, this.#stop.signal);
    const options = { platform, signal };
    this.recordedDaemon = {
      inspect: (...asked) => daemon.inspect(...asked),
      platform: (...asked) => daemon.platform(...asked),
      load: (...asked) => daemon.load(...asked),
      spools: daemon.spools,
      save: async (images, saving) => {
        const archive = new PassingArchive(options);
        this.#archives.push(archive);
        // Whole: a layer that another image has in another compression is another blob.
        const bytes = await daemon.save(images, { ...saving, held: undefined });
        const request: Reading['request'] = (held) => daemon.save(images, { ...options, held });
        return derived(bytes, this.#read(bytes, { archive, request }));
      },
    };
  }

  /**
   * Notes that a layer comes now, in the archive that is being read.
   * @returns notes which one it was, when it has passed
   */
  comes(entry: string): (layer: IngestedLayer) => IngestedLayer {
    const [reading, position] = [this.#reading, this.#count++];
    return (layer) => {
      if (reading !== undefined && !this.#passed.has(layer.received.digest))
        this.#note(layer.received, { reading, entry, position });
      return layer;
    };
  }

  #note(
    received: Passed['received'],
    { reading, entry, position }: { reading: Reading; entry: string; position: number },
  ): void {
    const { archive, request } = reading;
    const before = async (blobs: readonly Descriptor[]): Promise<ReadonlySet<Digest>> =>
      new Set(blobs.map(({ digest }) => digest).filter((digest) => (this.#at(digest) ?? -1) < position));
    this.#passed.set(received.digest, { received, archive, entry, position, request: () => request(before) });
  }

  async has(descriptor: Descriptor, options: ContentOptions = {}): Promise<boolean> {
    options.signal?.throwIfAborted();
    const passed = this.#passed.get(descriptor.digest);
    return passed?.received.size === descriptor.size || this.kept.has(descriptor, options);
  }

  async open(descriptor: Descriptor, options: OpenOptions = {}): Promise<Readable> {
    const passed = this.#passed.get(descriptor.digest);
    if (passed === undefined) return this.kept.open(descriptor, options);
    const { offset = 0, signal } = options;
    const bytes = await passed.archive.open(passed.entry, passed.request, { signal });
    const chunks = abortable(bytes, signal);
    return derived(bytes, offset > 0 ? skip(chunks, offset) : verified(chunks, descriptor));
  }

  async isRemote({ digest }: Descriptor): Promise<boolean> {
    return this.#passed.has(digest);
  }

  position({ digest }: Descriptor): number | undefined {
    return this.#at(digest);
  }

  /** Ends all requests. */
  close(): void {
    this.#stop.abort(new DrayageError('USAGE', 'the images of the daemon are closed'));
    for (const archive of this.#archives) archive.close();
  }

  #at(digest: Digest): number | undefined {
    return this.#passed.get(digest)?.position;
  }

  async *#read(bytes: Readable, reading: Reading): AsyncGenerator<Uint8Array, void, undefined> {
    this.#reading = reading;
    yield* bytes;
  }
}

/** Content beside layers, in memory. */
class KeptContent extends MemoryContent {
  #size = 0;

  override async begin(options?: ContentOptions): Promise<BlobWriter> {
    const writer = await super.begin(options);
    const write: BlobWriter['write'] = async (chunk) => {
      this.#size += chunk.length;
      if (this.#size > MAX_HELD) throw tooLarge();
      await writer.write(chunk);
    };
    return { ...writer, write };
  }
}

function tooLarge(): DrayageError {
  return new DrayageError('LIMIT', `the archive holds over ${MAX_HELD} bytes that are no layers`, {
    hint: 'pass a store as `through`, such as a temporary layout',
  });
}

async function* skip(
  bytes: AsyncIterable<Uint8Array>,
  offset: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = new ByteReader(bytes);
  await reader.skip(offset);
  yield* reader;
}
