import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { FillableStream } from '../../src/stream/fillable-stream.ts';
import type { EndableBytes } from '../../src/stream/fillable-stream.ts';
import { isFillable } from '../../src/stream/fillable.ts';

/** Bytes that give `parts`, and then end, fail or wait. */
function bytesOf(parts: readonly string[], then: 'end' | 'fail' | 'wait' = 'end') {
  let failure: Error | undefined;
  let wake: (() => void) | undefined;
  const left = [...parts];
  const state = { reads: 0, destroyed: 0 };
  const read = async (): Promise<Uint8Array> => {
    state.reads += 1;
    const part = left.shift();
    if (part !== undefined) return Buffer.from(part);
    if (then === 'fail') throw new Error('broken');
    if (then === 'wait' && state.destroyed === 0) await new Promise<void>((resolve) => (wake = resolve));
    if (failure !== undefined) throw failure;
    return Buffer.alloc(0);
  };
  const bytes: EndableBytes = {
    fillsDirectly: true,
    readInto: async (target) => {
      const part = await read();
      target.set(part);
      return part.length;
    },
    [Symbol.asyncIterator]: () => ({
      next: async () => {
        const value = await read();
        return value.length === 0 ? { done: true, value: undefined } : { done: false, value };
      },
    }),
    destroy: (error) => {
      failure = error;
      state.destroyed += 1;
      wake?.();
    },
  };
  return { bytes, state };
}

const explain = (error: unknown): unknown => new Error('explained', { cause: error });

test('it is read in chunks, as a stream, and into memory', async () => {
  expect(await text(new FillableStream(bytesOf(['ab', 'c']).bytes, explain))).toBe('abc');
  const through = new PassThrough();
  await pipeline(
    new FillableStream(bytesOf(['ab', 'c']).bytes, explain).pipe(through),
    new PassThrough().resume(),
  );
  const stream = new FillableStream(bytesOf(['ab', 'c']).bytes, explain);
  expect(isFillable(stream)).toBe(true);
  const memory = Buffer.alloc(4);
  expect([
    await stream.readInto(memory),
    await stream.readInto(memory),
    await stream.readInto(memory),
  ]).toEqual([2, 1, 0]);
});

test('what iterates reads nothing ahead, so that the next bytes can fill memory', async () => {
  const { bytes, state } = bytesOf(['ab', 'cd', 'ef']);
  const stream = new FillableStream(bytes, explain);
  const chunks = stream[Symbol.asyncIterator]();
  expect((await chunks.next()).value).toEqual(Buffer.from('ab'));
  expect(state.reads).toBe(1);
  const memory = Buffer.alloc(4);
  expect(memory.toString('latin1', 0, await stream.readInto(memory))).toBe('cd');
  expect((await chunks.next()).value).toEqual(Buffer.from('ef'));
});

test.each(['by chunks', 'into memory', 'as a stream'])('%s, its end closes it and its bytes', async (way) => {
  const { bytes, state } = bytesOf(['ab']);
  const stream = new FillableStream(bytes, explain);
  const closed = once(stream, 'close');
  if (way === 'by chunks') await text(stream);
  else if (way === 'into memory') while ((await stream.readInto(Buffer.alloc(4))) > 0);
  else stream.resume();
  await closed;
  expect(state.destroyed).toBe(1);
});

test.each(['by chunks', 'into memory', 'as a stream'])('%s, a failure is explained once', async (way) => {
  const stream = new FillableStream(bytesOf([], 'fail').bytes, explain);
  const closed = once(stream, 'close').catch(() => {});
  const failure = { message: 'explained', cause: { message: 'broken' } };
  if (way === 'by chunks') await expect(text(stream)).rejects.toMatchObject(failure);
  else if (way === 'into memory')
    await expect(stream.readInto(Buffer.alloc(4))).rejects.toMatchObject(failure);
  else await expect(pipeline(stream, new PassThrough().resume())).rejects.toMatchObject(failure);
  await closed;
  expect(stream.destroyed).toBe(true);
});

test.each(['by chunks', 'into memory'])('%s, who waits learns why it was ended', async (way) => {
  const stream = new FillableStream(bytesOf([], 'wait').bytes, (error) => error);
  const chunks = stream[Symbol.asyncIterator]();
  const waiting = way === 'by chunks' ? chunks.next() : stream.readInto(Buffer.alloc(4));
  stream.destroy(new Error('enough'));
  await expect(waiting).rejects.toThrow('enough');
});

test('leaving it early closes it', async () => {
  const { bytes, state } = bytesOf(['ab', 'cd']);
  for await (const _ of new FillableStream(bytes, explain)) break;
  expect(state.destroyed).toBe(1);
});
