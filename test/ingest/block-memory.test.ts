import { expect, test } from 'vitest';
import { hasRoomForThreads, roomForBlocks } from '../../src/ingest/block-memory.ts';
import { contentWindows } from '../../src/stream/zstd-windows.ts';

const MIB = 1024 * 1024;

test('blocks of layers have the memory that windows leave, and threads that of small ones', async () => {
  const before = [roomForBlocks(), hasRoomForThreads()];
  const release = await contentWindows().take(128 * MIB);
  expect(before).toEqual([128 * MIB, true]);
  expect([roomForBlocks(), hasRoomForThreads()]).toEqual([0, false]);
  release();
});
