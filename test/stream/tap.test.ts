import { buffer } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { drain } from '../../src/stream/drain.ts';
import { once, tap } from '../../src/stream/tap.ts';

async function* numbered(closed: string[] = []): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    for (const byte of [1, 2, 3]) yield Uint8Array.of(byte);
  } finally {
    closed.push('closed');
  }
}

test('a tap passes every chunk on as it is, and shows it before', async () => {
  const order: string[] = [];
  for await (const chunk of tap(numbered(), (seen) => void order.push(`saw ${seen[0]}`)))
    order.push(`got ${chunk[0]}`);
  expect(order).toEqual(['saw 1', 'got 1', 'saw 2', 'got 2', 'saw 3', 'got 3']);
});

test('what a tap returns is awaited before the chunk goes on', async () => {
  const order: string[] = [];
  const bytes = tap(numbered(), async (chunk) => {
    await new Promise((resolve) => setImmediate(resolve));
    order.push(`done ${chunk[0]}`);
  });
  for await (const chunk of bytes) order.push(`got ${chunk[0]}`);
  expect(order.slice(0, 2)).toEqual(['done 1', 'got 1']);
});

test('an error in a tap ends the stream, and the source is closed', async () => {
  const closed: string[] = [];
  const bytes = tap(numbered(closed), () => {
    throw new Error('seen enough');
  });
  await expect(drain(bytes)).rejects.toThrow('seen enough');
  expect(closed).toEqual(['closed']);
});

test('whoever stops reading closes the source', async () => {
  const closed: string[] = [];
  for await (const _ of tap(numbered(closed), () => {})) break;
  expect(closed).toEqual(['closed']);
});

test('bytes in memory are a stream of one chunk', async () => {
  const bytes = Buffer.from('all of it');
  expect(await buffer(once(bytes))).toEqual(bytes);
  const chunks = [];
  for await (const chunk of once(bytes)) chunks.push(chunk);
  expect(chunks).toHaveLength(1);
});

test('draining reads to the end, and the error that waits there comes out', async () => {
  let seen = 0;
  await drain(tap(numbered(), () => void (seen += 1)));
  expect(seen).toBe(3);
  await expect(drain(failing())).rejects.toThrow('damaged');
});

async function* failing(): AsyncGenerator<Uint8Array, void, undefined> {
  yield Uint8Array.of(1);
  throw new Error('damaged');
}
