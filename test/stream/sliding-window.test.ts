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

test('a large window uses the memory of the one before it, and shows none of its bytes', () => {
  const first = new SlidingWindow(64 * 1024 * 1024);
  first.append(new Uint8Array(131_072).fill(7));
  const { buffer } = first.bytes;
  first.release();
  const second = new SlidingWindow(128 * 1024 * 1024);
  second.append(new Uint8Array(1000).fill(1));
  expect(second.bytes.buffer === buffer).toBe(true);
  expect(Buffer.from(second.bytes)).toEqual(Buffer.alloc(1000, 1));
  expect(new SlidingWindow(64 * 1024 * 1024).bytes.buffer === buffer).toBe(false);
});
