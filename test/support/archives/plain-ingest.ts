import { gzipSync } from 'node:zlib';
import type { IngestLayer } from '../../../src/content/layer.ts';
import { savedLayer } from '../../../src/content/layer.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import type { Compression } from '../../../src/oci/media-types.ts';
import { ociLayerType } from '../../../src/oci/media-types.ts';
import { CODECS, detectCompression, refuseForeign } from '../../../src/stream/codecs.ts';
import type { MemoryContent } from './memory-content.ts';

/** Takes layers in as the real one does, all in memory: what is compressed is stored as it came, the rest as gzip. */
export function plainIngest(content: MemoryContent, codec: 'gzip' | 'none' = 'gzip'): IngestLayer {
  return async (bytes, { entry }) => {
    const received = await gather(bytes);
    const arrived = refuseForeign(detectCompression(received), entry);
    const plain = await gather(CODECS[arrived].decompress(once(received), entry));
    const codecUsed: Compression = arrived === 'none' ? codec : arrived;
    const stored = arrived === 'none' && codec === 'gzip' ? gzipSync(received) : received;
    const blob = content.add(stored, ociLayerType(codecUsed));
    const of = { diffId: digestOf(plain), uncompressedSize: plain.length, status: 'written' } as const;
    return { ...savedLayer(blob, of), received: { digest: digestOf(received), size: received.length } };
  };
}

/** All bytes of a stream. */
export async function gather(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of bytes) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

async function* once(bytes: Buffer): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes;
}
