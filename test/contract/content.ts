import { buffer } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import type { ContentSink } from '../../src/content/sink.ts';
import type { ContentSource } from '../../src/content/source.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { digestOf } from '../../src/oci/digest.ts';

const SMALL = Buffer.from('a small blob');
const EMPTY = Buffer.alloc(0);
/** More than any buffer on the way holds, and no round number. */
const LARGE = Buffer.alloc(2_500_003).map((_, i) => (i * 31 + (i >> 8)) & 0xff);

/** Names bytes. */
export function describeBytes(bytes: Uint8Array, mediaType = 'application/octet-stream'): Descriptor {
  return { mediaType, digest: digestOf(bytes), size: bytes.length };
}

/** Bytes in two chunks. */
export async function* chunksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  const half = bytes.length >> 1;
  yield bytes.subarray(0, half);
  yield bytes.subarray(half);
}

/** A place under test, with whatever has to be done when the test is over. */
export interface Place<T> {
  place: T;
  close?: () => Promise<void>;
}

/**
 * What every content source has to do.
 * @param makeWith makes a source that holds `blobs`, and `damaged` under digests that are not theirs
 */
export function contentSourceContract(
  name: string,
  makeWith: (blobs: Uint8Array[], damaged: [Descriptor, Uint8Array][]) => Promise<Place<ContentSource>>,
): void {
  const run = async (
    check: (source: ContentSource) => Promise<void>,
    damaged: [Descriptor, Uint8Array][] = [],
  ): Promise<void> => {
    const { place, close } = await makeWith([SMALL, EMPTY, LARGE], damaged);
    try {
      await check(place);
    } finally {
      await close?.();
    }
  };

  describe(`${name} is a content source`, () => {
    test.each([
      ['small', SMALL],
      ['empty', EMPTY],
      ['large', LARGE],
    ])('it has and gives out a %s blob', async (_, bytes) => {
      await run(async (source) => {
        expect(await source.has(describeBytes(bytes))).toBe(true);
        const read = await buffer(await source.open(describeBytes(bytes)));
        expect(read.equals(bytes)).toBe(true);
      });
    });

    test('it lacks what it was not given', async () => {
      await run(async (source) => {
        const other = describeBytes(Buffer.from('other'));
        expect(await source.has(other)).toBe(false);
        await expect(source.open(other)).rejects.toMatchObject({ code: 'NOT_FOUND' });
      });
    });

    test.each([0, 1, 5, SMALL.length])('it gives out a blob from offset %i', async (offset) => {
      await run(async (source) => {
        const read = await buffer(await source.open(describeBytes(SMALL), { offset }));
        expect(read.toString()).toBe(SMALL.subarray(offset).toString());
      });
    });

    test('a stream from an offset deep in a large blob is right to its end', async () => {
      await run(async (source) => {
        const read = await buffer(await source.open(describeBytes(LARGE), { offset: 1_234_567 }));
        expect(read.equals(LARGE.subarray(1_234_567))).toBe(true);
      });
    });

    test.each([
      ['DIGEST_MISMATCH', 'has a flipped bit', flip(LARGE)],
      ['SIZE_MISMATCH', 'is cut', LARGE.subarray(0, -1)],
      ['SIZE_MISMATCH', 'has a byte too many', Buffer.concat([LARGE, Buffer.from('x')])],
      ['SIZE_MISMATCH', 'is empty', EMPTY],
    ])('its stream fails with %s where the blob %s', async (code, _, bytes) => {
      const wanted = { ...describeBytes(LARGE), digest: digestOf(Buffer.from('not there otherwise')) };
      const descriptor = code === 'DIGEST_MISMATCH' ? wanted : { ...wanted, size: LARGE.length };
      await run(
        async (source) => {
          const reading = (async () => buffer(await source.open(descriptor)))();
          await expect(reading).rejects.toMatchObject({ code, facts: { digest: descriptor.digest } });
        },
        [[descriptor, bytes]],
      );
    });

    test('it rejects with the reason of a signal that is aborted', async () => {
      await run(async (source) => {
        const signal = AbortSignal.abort(new Error('enough'));
        await expect(source.has(describeBytes(SMALL), { signal })).rejects.toThrow('enough');
        await expect(source.open(describeBytes(SMALL), { signal })).rejects.toThrow('enough');
      });
    });

    test('its stream ends with the reason of a signal that is aborted midway', async () => {
      await run(async (source) => {
        const controller = new AbortController();
        const stream = await source.open(describeBytes(LARGE), { signal: controller.signal });
        const reading = (async () => {
          for await (const _ of stream) controller.abort(new Error('enough'));
        })();
        await expect(reading).rejects.toThrow('enough');
      });
    });

    test('a stream that is not read can be dropped', async () => {
      await run(async (source) => {
        const stream = await source.open(describeBytes(LARGE));
        stream.destroy();
        await new Promise((resolve) => stream.once('close', resolve));
      });
    });
  });
}

/**
 * What every content sink has to do.
 * @param makeWith makes a sink that can be read again and holds `blobs`
 */
export function contentSinkContract(
  name: string,
  makeWith: (blobs: Uint8Array[]) => Promise<Place<ContentSink & ContentSource>>,
): void {
  const run = async (check: (sink: ContentSink & ContentSource) => Promise<void>): Promise<void> => {
    const { place, close } = await makeWith([EMPTY]);
    try {
      await check(place);
    } finally {
      await close?.();
    }
  };

  describe(`${name} is a content sink`, () => {
    test.each([
      ['small', SMALL],
      ['empty', EMPTY],
      ['large', LARGE],
    ])('it stores a %s blob', async (_, bytes) => {
      await run(async (sink) => {
        await sink.put(describeBytes(bytes), chunksOf(bytes));
        expect(await sink.has(describeBytes(bytes))).toBe(true);
        expect((await buffer(await sink.open(describeBytes(bytes)))).equals(bytes)).toBe(true);
      });
    });

    test('it stores a blob twice', async () => {
      await run(async (sink) => {
        await sink.put(describeBytes(SMALL), chunksOf(SMALL));
        await sink.put(describeBytes(SMALL), chunksOf(SMALL));
        const writer = await sink.begin();
        await writer.write(SMALL);
        await writer.commit();
        expect((await buffer(await sink.open(describeBytes(SMALL)))).equals(SMALL)).toBe(true);
      });
    });

    test('it stores a blob under a sha512 digest', async () => {
      await run(async (sink) => {
        const descriptor = { ...describeBytes(SMALL), digest: digestOf(SMALL, 'sha512') };
        await sink.put(descriptor, chunksOf(SMALL));
        expect((await buffer(await sink.open(descriptor))).equals(SMALL)).toBe(true);
        const other = { ...descriptor, digest: digestOf(LARGE, 'sha512') };
        await expect(sink.put(other, chunksOf(SMALL))).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
      });
    });

    test.each([
      ['DIGEST_MISMATCH', 'has a flipped bit', flip(SMALL)],
      ['SIZE_MISMATCH', 'is cut', SMALL.subarray(1)],
      ['SIZE_MISMATCH', 'has a byte too many', Buffer.concat([SMALL, SMALL.subarray(0, 1)])],
    ])('it refuses with %s what %s', async (code, _, bytes) => {
      await run(async (sink) => {
        await expect(sink.put(describeBytes(SMALL), chunksOf(bytes))).rejects.toMatchObject({ code });
        expect(await sink.has(describeBytes(SMALL))).toBe(false);
      });
    });

    test('it stores nothing of bytes that break off', async () => {
      await run(async (sink) => {
        const broken = (async function* () {
          yield SMALL.subarray(0, 3);
          throw new Error('cut off');
        })();
        await expect(sink.put(describeBytes(SMALL), broken)).rejects.toThrow('cut off');
        expect(await sink.has(describeBytes(SMALL))).toBe(false);
      });
    });

    test('a blob of unknown digest is described when it is committed', async () => {
      await run(async (sink) => {
        const writer = await sink.begin();
        for await (const chunk of chunksOf(LARGE)) await writer.write(chunk);
        expect(await sink.has(describeBytes(LARGE))).toBe(false);
        expect(await writer.commit({ mediaType: 'text/plain' })).toEqual(describeBytes(LARGE, 'text/plain'));
        await expect(writer.write(SMALL)).rejects.toThrow();
        expect(await writer.commit()).toEqual(describeBytes(LARGE, 'text/plain'));
        await writer.abort();
        expect(await sink.has(describeBytes(LARGE))).toBe(true);
      });
    });

    test('a blob is committed only as what is expected', async () => {
      await run(async (sink) => {
        for (const [expected, code] of [
          [{ size: 1 }, 'SIZE_MISMATCH'],
          [{ digest: digestOf(LARGE) }, 'DIGEST_MISMATCH'],
        ] as const) {
          const writer = await sink.begin();
          await writer.write(SMALL);
          await expect(writer.commit(expected)).rejects.toMatchObject({ code });
        }
        expect(await sink.has(describeBytes(SMALL))).toBe(false);
      });
    });

    test('a blob that is aborted is gone', async () => {
      await run(async (sink) => {
        const writer = await sink.begin();
        await writer.write(SMALL);
        await writer.abort();
        await writer.abort();
        await expect(writer.commit()).rejects.toThrow();
        await expect(writer.write(SMALL)).rejects.toThrow();
        expect(await sink.has(describeBytes(SMALL))).toBe(false);
      });
    });

    test('many blobs are written at a time', async () => {
      await run(async (sink) => {
        const blobs = Array.from({ length: 20 }, (_, i) => Buffer.from(`blob ${i % 15}`));
        await Promise.all(blobs.map((bytes) => sink.put(describeBytes(bytes), chunksOf(bytes))));
        for (const bytes of blobs) {
          expect((await buffer(await sink.open(describeBytes(bytes)))).equals(bytes)).toBe(true);
        }
      });
    });

    test('it rejects with the reason of a signal that is aborted', async () => {
      await run(async (sink) => {
        const signal = AbortSignal.abort(new Error('enough'));
        await expect(sink.begin({ signal })).rejects.toThrow('enough');
        await expect(sink.put(describeBytes(SMALL), chunksOf(SMALL), { signal })).rejects.toThrow('enough');
        const controller = new AbortController();
        const writer = await sink.begin({ signal: controller.signal });
        controller.abort(new Error('later'));
        await expect(writer.write(SMALL)).rejects.toThrow('later');
        await writer.abort();
      });
    });
  });
}

function flip(bytes: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[copy.length >> 1] = (copy[copy.length >> 1] ?? 0) ^ 1;
  return copy;
}
