import type { ContentSink } from '../content/sink.ts';
import type { ContentOptions } from '../content/source.ts';
import type { Layer } from '../image/layer.ts';
import type { CodecName } from '../ingest/codec.ts';
import { chooseCodec } from '../ingest/codec.ts';
import { createIngest } from '../ingest/ingest.ts';

/** Options of {@link putLayer}. */
export interface PutLayerOptions extends ContentOptions {
  /** The compression of an uncompressed tar. Default `auto`: zstd if the runtime has it built in, else gzip. */
  compress?: CodecName | undefined;
  /** Compression level. Default 1. */
  level?: number | undefined;
  /** How many threads hash and compress. Default: the number of cores, or the container's CPU quota. */
  concurrency?: number | undefined;
  /** Names the layer in errors. Default `layer`. */
  name?: string | undefined;
}

/**
 * Stores a layer.
 * @param tar the layer's tar. A gzip or zstd one is stored as it is; its diffID is computed
 * @returns the layer's diffID and its blob
 * @throws {@link DrayageError} `MALFORMED`, `TRUNCATED`, `UNSUPPORTED`; errors of `tar` and of `sink`
 */
export async function putLayer(
  sink: ContentSink,
  tar: AsyncIterable<Uint8Array>,
  { compress, level, concurrency, name = 'layer', signal }: PutLayerOptions = {},
): Promise<Layer> {
  await using ingest = createIngest(sink, {
    codec: chooseCodec(compress, level),
    signal,
    ...(concurrency && { concurrency }),
  });
  const { diffId, digest, size, mediaType } = await ingest.layer(tar, { entry: name });
  return { diffId, blob: { mediaType, digest, size } };
}
