import { expect, test } from 'vitest';
import { drain } from '../../src/stream/drain.ts';
import { unzstd } from '../../src/stream/unzstd.ts';
import { decodeFramePortably } from '../../src/stream/zstd-portable.ts';
import { source } from './sources.ts';
import { BLOCK, blocks, frameHeader, zeros } from './zstd-bytes.ts';

// In a file of its own: what frees memory is set up by the first window of a process.
test('large windows in turn have the memory of one, also if nothing waits between them', async () => {
  const size = 128 * 1024 * 1024;
  const wide = Buffer.concat([frameHeader({ windowLog: 27 }), blocks(...zeros(8 * BLOCK))]);
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 3; i++) {
    await drain(unzstd(source(wide), 'layer', decodeFramePortably));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(size);
  }
});
