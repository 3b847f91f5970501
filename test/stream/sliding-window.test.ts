import { expect, test } from 'vitest';
import { SlidingWindow } from '../../src/stream/sliding-window.ts';

test.each([0, 1, 1000, 300_000, 20_000_000])('a window of %d bytes keeps the last ones', (size) => {
  const window = new SlidingWindow(size);
  let all = Buffer.alloc(0);
  let next = 0;
  for (let i = 0; i < 60; i++) {
    const chunk = Uint8Array.from({ length: (i * 7919) % 131_072 }, () => (next = (next * 31 + 7) % 251));
    window.append(chunk);
    all = Buffer.concat([all, chunk]);
    const kept = all.subarray(Math.max(0, all.length - size));
    expect(Buffer.compare(Buffer.from(window.bytes), kept)).toBe(0);
  }
});

const MIB = 1024 * 1024;

/** The memory of a window, in bytes. */
function memoryOf(window: SlidingWindow): ArrayBufferLike {
  window.append(new Uint8Array(1000).fill(1));
  return window.bytes.buffer;
}

test('a window uses the memory of a larger one before it, and shows none of its bytes', () => {
  const first = new SlidingWindow(8 * MIB);
  first.append(new Uint8Array(131_072).fill(7));
  const { buffer } = first.bytes;
  first.release();
  const second = new SlidingWindow(4 * MIB);
  expect(memoryOf(second) === buffer).toBe(true);
  expect(Buffer.from(second.bytes)).toEqual(Buffer.alloc(1000, 1));
  expect(memoryOf(new SlidingWindow(4 * MIB)) === buffer).toBe(false);
});

test('the memory of a larger window is kept for the next one', () => {
  const [large, small] = [new SlidingWindow(8 * MIB), new SlidingWindow(2 * MIB)];
  const buffer = memoryOf(large);
  large.release();
  memoryOf(small);
  small.release();
  expect(memoryOf(new SlidingWindow(7 * MIB)) === buffer).toBe(true);
});

test.each([9, 64, 128])('a window of %d MiB frees its memory at once', (size) => {
  const window = new SlidingWindow(size * MIB);
  const buffer = memoryOf(window);
  window.release();
  expect(buffer.byteLength).toBe(0);
});

test('windows at a time have little more memory than they keep', () => {
  const windows = Array.from({ length: 17 }, () => new SlidingWindow(8 * MIB));
  const total = windows.reduce((sum, window) => sum + memoryOf(window).byteLength, 0);
  expect(total).toBeLessThanOrEqual(17 * 12 * MIB);
});
