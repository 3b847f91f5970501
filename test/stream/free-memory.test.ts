import { MessagePort } from 'node:worker_threads';
import { expect, onTestFinished, test, vi } from 'vitest';
import { freeMemory, readyToFree } from '../../src/stream/free-memory.ts';
import { collect, source } from './sources.ts';
import { frame } from './zstd-bytes.ts';

const SIZE = 50_000_000;

test('memory is freed without the garbage collector', async () => {
  await readyToFree();
  const before = process.memoryUsage().arrayBuffers;
  const bytes = Buffer.allocUnsafeSlow(SIZE);
  freeMemory(bytes.subarray(10));
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(SIZE);
  expect(bytes).toHaveLength(0);
});

test('memory that others use stays', () => {
  const shared = new Uint8Array(new SharedArrayBuffer(SIZE));
  const pooled = Buffer.from('a part of the pool of small buffers');
  freeMemory(shared);
  freeMemory(pooled);
  expect(shared).toHaveLength(SIZE);
  expect(pooled.toString()).toBe('a part of the pool of small buffers');
});

test('zstd is decompressed in a runtime whose ports do not tell that they are closed', async () => {
  const close = vi.spyOn(MessagePort.prototype, 'close').mockReturnValue(undefined);
  onTestFinished(() => close.mockRestore());
  // What frees memory is set up once for each copy of its module.
  vi.resetModules();
  const { unzstd } = await import('../../src/stream/unzstd.ts');
  const { decodeFramePortably } = await import('../../src/stream/zstd-portable.ts');
  const text = Buffer.from('a layer');
  const bytes = await collect(unzstd(source(frame(text)), 'layer', decodeFramePortably));
  expect(close).toHaveBeenCalledTimes(1);
  expect(bytes.equals(text)).toBe(true);
});
