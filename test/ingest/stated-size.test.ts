import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { chooseCodec } from '../../src/ingest/codec.ts';
import { createIngest } from '../../src/ingest/ingest.ts';
import { nativeZstd } from '../../src/stream/zstd-runtime.ts';
import { zstdFrames } from '../../src/stream/zstd-frames.ts';
import { MemoryContent } from '../support/memory-content.ts';

/** Over several blocks of either codec, the last one not full. */
const LAYER = Buffer.alloc(9_000_001, 'some line of text\n');

async function stored(name: 'gzip' | 'zstd'): Promise<Buffer> {
  const content = new MemoryContent();
  await using ingest = createIngest(content, { codec: chooseCodec(name) });
  const blob = await ingest.layer(Readable.from([LAYER]), { entry: 'layer.tar' });
  return buffer(await content.open(blob));
}

test('every gzip member states how long it is', async () => {
  const blob = await stored('gzip');
  const sizes: number[] = [];
  for (let at = 0; at < blob.length;) {
    const end = at + blob.readUInt32LE(at + 16);
    sizes.push(gunzipSync(blob.subarray(at, end)).length);
    at = end;
  }
  expect(sizes.length).toBeGreaterThan(1);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(LAYER.length);
});

// Node 20 writes no zstd.
test.each(nativeZstd() === undefined ? [] : (['zstd'] as const))(
  'every frame of %s states its content size',
  async (codec) => {
    const sizes: (number | undefined)[] = [];
    for await (const { header } of zstdFrames(Readable.from([await stored(codec)]), 'layer'))
      sizes.push(header.contentSize);
    expect(sizes.length).toBeGreaterThan(1);
    expect(sizes.reduce<number>((sum, size) => sum + (size ?? Number.NaN), 0)).toBe(LAYER.length);
  },
);
