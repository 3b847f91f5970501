import pLimit from 'p-limit';
import type { IngestedLayer, IngestLayer, LayerHint } from '../content/layer.ts';
import { savedLayer } from '../content/layer.ts';
import type { BeginOptions, BlobWriter, ContentSink } from '../content/sink.ts';
import type { ContentOptions } from '../content/source.ts';
import { DrayageError } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { Compression } from '../oci/media-types.ts';
import { ociLayerType } from '../oci/media-types.ts';
import { CODECS } from '../stream/codecs.ts';
import { countBytes } from '../stream/drain.ts';
import { isFillable } from '../stream/fillable.ts';
import { sniffed } from '../stream/sniffed.ts';
import { tap } from '../stream/tap.ts';
import { digestMismatch } from '../stream/verified.ts';
import type { CallZlib } from '../stream/codec.ts';
import type { ChosenCodec } from './codec.ts';
import { PROCESS_MEMORY } from './block-memory.ts';
import type { BlockWork } from './compressed-blocks.ts';
import { compressBlocks } from './compressed-blocks.ts';
import { canFlush, copyBlocks } from './copied-blocks.ts';
import { availableCores } from './cores.ts';
import { BlockHash, usableDigesters } from './hash.ts';
import { Slots } from './slots.ts';
import { Threads } from './threads.ts';
import { zlibOn } from './zlib.ts';

/** Options of {@link createIngest}. */
export interface IngestOptions extends ContentOptions {
  /** The codec for uncompressed layers; layers that arrive compressed stay as they are. */
  codec: ChosenCodec;
  /**
   * How many threads hash, and how many blocks are compressed at once. With 1, no thread is started. Default:
   * {@link availableCores}. All that runs in the process shares these threads.
   */
  concurrency?: number;
  /** Bytes of layers in memory at once, over all layers. Default 32 MiB. All that runs in the process shares them. */
  memory?: number;
  /** Finds the intact blob of a layer that is stored already. */
  findLayer?: (diffId: Digest) => Promise<Descriptor | undefined>;
  /** Whether nothing is stored. Then the sink gets no uncompressed layers: they are hashed on threads. Default false. */
  hashesOnly?: boolean;
  /** Called when a layer is done, and whether its bytes were hashed. */
  onLayer?: (layer: IngestedLayer, isHashed: boolean) => void;
}

/** Turns layers into blobs. Its threads end when it is disposed of; they never keep the process alive. */
export interface Ingest extends AsyncDisposable {
  /**
   * Turns a layer's bytes into a stored blob, in one pass. Several may run at once.
   * @throws {@link DrayageError} `UNSUPPORTED`, `MALFORMED`, `TRUNCATED`, `DIGEST_MISMATCH`; errors of the source and of the sink
   */
  readonly layer: IngestLayer;
}

/** Eight blocks for zstd: those that are compressed, those that wait to be written, and the one that fills. */
const MEMORY = 32 * 1024 * 1024;

/**
 * Makes an ingest, which turns layers into stored blobs. The calling thread only passes bytes on: they are hashed on
 * other threads, and compressed there in blocks, several at once.
 *
 * A layer that is stored already, in any compression, is not stored again. The exception is a layer that arrives in
 * another compression: a manifest names exactly these bytes.
 */
export function createIngest(sink: Pick<ContentSink, 'begin'>, options: IngestOptions): Ingest {
  return new LayerIngest(sink, options);
}

class LayerIngest implements Ingest {
  readonly #sink: Pick<ContentSink, 'begin'>;
  readonly #options: IngestOptions;
  readonly #slots: Slots;
  readonly #turns: BlockWork['turns'];
  readonly #threads: Threads | undefined;
  readonly #callZlib: CallZlib;
  readonly #onAbort: () => void;
  /** The layers of this run, by diffID. */
  readonly #known = new Map<Digest, Descriptor>();

  constructor(sink: Pick<ContentSink, 'begin'>, options: IngestOptions) {
    const { codec, signal, concurrency = availableCores(), memory = MEMORY } = options;
    this.#sink = sink;
    this.#options = options;
    // One block is filled while another one is compressed.
    this.#slots = new Slots(codec.blockSize, memory, { memory: PROCESS_MEMORY, least: 2 });
    this.#turns = pLimit(concurrency);
    this.#threads = concurrency > 1 ? new Threads(concurrency) : undefined;
    this.#callZlib = zlibOn(this.#threads);
    this.#onAbort = () => void this.#threads?.close(signal?.reason);
    signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  readonly layer: IngestLayer = async (bytes, hint) => {
    if (hint.compression !== undefined) return this.#take(bytes, hint.compression, hint);
    const { compression, bytes: all } = await sniffed(bytes, hint.entry);
    try {
      return await this.#take(all, compression, hint);
    } finally {
      await all.release();
    }
  };

  async [Symbol.asyncDispose](): Promise<void> {
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    this.#slots.close();
    await this.#threads?.[Symbol.asyncDispose]();
  }

  async #take(
    bytes: AsyncIterable<Uint8Array>,
    compression: Compression,
    hint: LayerHint,
  ): Promise<IngestedLayer> {
    const { promised, isStated = false } = hint;
    const found = compression === 'none' && promised !== undefined ? await this.#find(promised) : undefined;
    const isDrained = found !== undefined && promised !== undefined && isStated;
    const layer = isDrained
      ? await drained(bytes, { digest: promised, found })
      : await this.#ingest(bytes, { compression, found }, hint);
    this.#known.set(layer.diffId, layer);
    this.#options.onLayer?.(layer, !isDrained);
    return layer;
  }

  async #ingest(
    bytes: AsyncIterable<Uint8Array>,
    { compression, found }: { compression: Compression; found: Descriptor | undefined },
    hint: LayerHint,
  ): Promise<IngestedLayer> {
    if (compression !== 'none')
      return this.#writing((writer) => this.#keep(bytes, compression, hint, writer));
    if (found !== undefined || this.#options.hashesOnly === true) return this.#hashOnly(bytes, found, hint);
    return this.#writing((writer) =>
      this.#options.codec.compression === 'none' ? this.#copy(bytes, writer) : this.#pack(bytes, writer),
    );
  }

  /** A layer that is not stored, or is said to be stored already: its bytes are only checked against that. */
  async #hashOnly(
    bytes: AsyncIterable<Uint8Array>,
    found: Descriptor | undefined,
    { promised, entry }: LayerHint,
  ): Promise<IngestedLayer> {
    const received = await this.#digest(bytes);
    if (promised !== undefined && received.digest !== promised) {
      const expected = { digest: promised, size: received.size };
      const { message, facts } = digestMismatch(expected, received.digest, `archive entry ${entry}`);
      throw new DrayageError('DIGEST_MISMATCH', message, { ...facts, entry });
    }
    const blob = found ?? { ...received, mediaType: ociLayerType('none') };
    return plainLayer(received, blob, found === undefined ? 'written' : 'reused');
  }

  /** An uncompressed layer that stays so: the blob and the layer have one digest. */
  async #copy(bytes: AsyncIterable<Uint8Array>, writer: BlobWriter): Promise<IngestedLayer> {
    if (isFillable(bytes) && canFlush(writer)) await copyBlocks(this.#slots.blocks(bytes), writer);
    else for await (const chunk of bytes) await writer.write(chunk);
    const blob = await writer.commit({ mediaType: ociLayerType('none') });
    const { digest, size } = blob;
    const found = await this.#find(digest);
    return plainLayer({ digest, size }, found ?? blob, found === undefined ? 'written' : 'reused');
  }

  /** An uncompressed layer that is compressed. */
  async #pack(bytes: AsyncIterable<Uint8Array>, writer: BlobWriter): Promise<IngestedLayer> {
    const raw = new BlockHash(this.#threads);
    let size = 0;
    try {
      await compressBlocks(this.#slots.blocks(bytes), {
        compress: async (block) => this.#options.codec.compress(block, this.#callZlib),
        turns: this.#turns,
        hash: async (block) => {
          size += block.length;
          await raw.update(block);
        },
        writer,
      });
      const digest = await raw.digest();
      const found = await this.#find(digest);
      if (found !== undefined) {
        await writer.abort();
        return plainLayer({ digest, size }, found, 'reused');
      }
      const mediaType = ociLayerType(this.#options.codec.compression);
      return plainLayer({ digest, size }, await writer.commit({ mediaType }), 'written');
    } finally {
      await raw.drop();
    }
  }

  /** A layer that arrives compressed: stored as it is. */
  async #keep(
    bytes: AsyncIterable<Uint8Array>,
    compression: Compression,
    { entry }: LayerHint,
    writer: BlobWriter,
  ): Promise<IngestedLayer> {
    const stored = tap(bytes, (chunk) => writer.write(chunk));
    const { digest: diffId, size } = await this.#digest(
      CODECS[compression].decompress(stored, entry, { freesChunks: true }),
    );
    const blob = await writer.commit({ mediaType: ociLayerType(compression) });
    const found = await this.#find(diffId);
    const status = found?.digest === blob.digest ? 'reused' : 'written';
    const received = { digest: blob.digest, size: blob.size };
    return { ...savedLayer(blob, { diffId, uncompressedSize: size, status }), received };
  }

  /** Hashes bytes that are not stored. */
  async #digest(bytes: AsyncIterable<Uint8Array>): Promise<IngestedLayer['received']> {
    const hash = new BlockHash(this.#threads);
    try {
      return await hash.drain(this.#slots.blocks(bytes));
    } finally {
      await hash.drop();
    }
  }

  async #find(diffId: Digest): Promise<Descriptor | undefined> {
    return this.#known.get(diffId) ?? (await this.#options.findLayer?.(diffId));
  }

  #beginOptions(): BeginOptions {
    return { signal: this.#options.signal, digestFile: usableDigesters(this.#threads) };
  }

  async #writing(write: (writer: BlobWriter) => Promise<IngestedLayer>): Promise<IngestedLayer> {
    const writer = await this.#sink.begin(this.#beginOptions());
    try {
      return await write(writer);
    } catch (error) {
      await writer.abort();
      throw error;
    }
  }
}

/** A layer whose bytes are not used, and so not checked: how many there were says nothing. */
async function drained(
  bytes: AsyncIterable<Uint8Array>,
  { digest, found }: { digest: Digest; found: Descriptor },
): Promise<IngestedLayer> {
  const size = await countBytes(bytes);
  return { ...plainLayer({ digest, size }, found, 'reused'), uncompressedSize: null };
}

/** A layer that arrived uncompressed, so that one digest names the received bytes and the layer. */
function plainLayer(
  received: IngestedLayer['received'],
  blob: Descriptor,
  status: IngestedLayer['status'],
): IngestedLayer {
  const { digest: diffId, size: uncompressedSize } = received;
  return { ...savedLayer(blob, { diffId, uncompressedSize, status }), received };
}
