import { availableParallelism } from 'node:os';
import type {
  BlobWriter,
  ContentOptions,
  ContentSink,
  IngestedLayer,
  IngestLayer,
  LayerHint,
} from '../content.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { createDigester } from '../oci/digest.ts';
import type { Compression } from '../oci/media-types.ts';
import { ociLayerType } from '../oci/media-types.ts';
import { decompress } from '../stream/decompress.ts';
import { sniffed } from '../stream/sniffed.ts';
import { tap } from '../stream/tap.ts';
import type { Codec } from './codec.ts';
import { compress } from './compress.ts';

/** Options of {@link createIngest}. */
export interface IngestOptions extends ContentOptions {
  /** What plain layers are compressed with; layers that arrive compressed stay as they are. */
  codec: Codec;
  /** How many blocks are compressed at once; default: as many as there are cores. */
  concurrency?: number | undefined;
  /** Finds the blob of a layer that is stored already, and intact. */
  findLayer?: (diffId: Digest) => Promise<Descriptor | undefined>;
  /** Called when a layer is done. */
  onLayer?: (layer: IngestedLayer) => void;
}

/**
 * Makes the function that turns a layer's bytes into a stored blob: both digests and the compressed blob in one pass. A
 * layer that is stored already, in whatever compression, is not stored again, unless it arrives compressed otherwise:
 * then somebody's manifest names just these bytes.
 */
export function createIngest(sink: ContentSink, options: IngestOptions): IngestLayer {
  const known = new Map<Digest, Descriptor>();
  return async (bytes, hint) => {
    const { compression, bytes: all } = await sniffed(bytes, hint.entry);
    const writer = await sink.begin(options).catch(async (error: unknown) => {
      await all.return();
      throw error;
    });
    try {
      const layer =
        compression === 'none'
          ? await ingestPlain(all, writer, options, known)
          : await ingestCompressed(all, writer, compression, hint, options, known);
      known.set(layer.diffId, layer.blob);
      options.onLayer?.(layer);
      return layer;
    } catch (error) {
      await writer.abort();
      throw error;
    }
  };
}

type Known = ReadonlyMap<Digest, Descriptor>;

async function ingestPlain(
  bytes: AsyncIterable<Uint8Array>,
  writer: BlobWriter,
  options: IngestOptions,
  known: Known,
): Promise<IngestedLayer> {
  const raw = createDigester();
  let uncompressedSize = 0;
  const hashed = tap(bytes, (chunk) => {
    options.signal?.throwIfAborted();
    raw.update(chunk);
    uncompressedSize += chunk.length;
  });
  for await (const chunk of compress(hashed, options.codec, options.concurrency ?? availableParallelism()))
    await writer.write(chunk);
  const diffId = raw.digest();
  const received = { digest: diffId, size: uncompressedSize };
  const found = known.get(diffId) ?? (await options.findLayer?.(diffId));
  if (found !== undefined) {
    await writer.abort();
    return { received, diffId, uncompressedSize, blob: found, status: 'reused' };
  }
  const blob = await writer.commit({ mediaType: ociLayerType(options.codec.compression) });
  return { received, diffId, uncompressedSize, blob, status: 'written' };
}

async function ingestCompressed(
  bytes: AsyncIterable<Uint8Array>,
  writer: BlobWriter,
  compression: Exclude<Compression, 'none'>,
  hint: LayerHint,
  options: IngestOptions,
  known: Known,
): Promise<IngestedLayer> {
  const raw = createDigester();
  let uncompressedSize = 0;
  const stored = tap(bytes, (chunk) => {
    options.signal?.throwIfAborted();
    return writer.write(chunk);
  });
  for await (const chunk of decompress(stored, compression, hint.entry)) {
    raw.update(chunk);
    uncompressedSize += chunk.length;
  }
  const blob = await writer.commit({ mediaType: ociLayerType(compression) });
  const diffId = raw.digest();
  const found = known.get(diffId) ?? (await options.findLayer?.(diffId));
  const status = found?.digest === blob.digest ? 'reused' : 'written';
  return { received: { digest: blob.digest, size: blob.size }, diffId, uncompressedSize, blob, status };
}
