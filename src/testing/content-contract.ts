import assert from 'node:assert/strict';
import { once } from 'node:events';
import { buffer } from 'node:stream/consumers';
import type { ContentSink } from '../content/sink.ts';
import type { ContentSource } from '../content/source.ts';
import type { ErrorCode } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { digestOf } from '../oci/digest.ts';
import type { ContractCase } from './contract.ts';
import { rejectsWith } from './contract.ts';
import { chunksOf, describeBytes } from './sample-images.ts';

const SMALL = Buffer.from('a small blob');
const EMPTY = Buffer.alloc(0);
/** More than any buffer on the way holds, and no round number. */
const LARGE = Buffer.from(Uint8Array.from({ length: 2_500_003 }, (_, i) => (i * 31 + (i >> 8)) & 0xff));
const SIZES: [string, Buffer][] = [
  ['small', SMALL],
  ['empty', EMPTY],
  ['large', LARGE],
];
const ENOUGH = new Error('enough');

/** A place under test, and how it is closed after the test. */
export interface PlaceUnderTest<T> {
  place: T;
  /** Called after the test, whether it passed or not. */
  close?: (() => Promise<void>) | undefined;
}

/**
 * What every {@link ContentSource} promises.
 * @param makeWith makes a source that holds `blobs`, and holds `damaged` under digests that are not theirs
 */
export function contentSourceContract(
  makeWith: (
    blobs: Uint8Array[],
    damaged: [Descriptor, Uint8Array][],
  ) => Promise<PlaceUnderTest<ContentSource>>,
): ContractCase[] {
  const promise = (
    name: string,
    check: (source: ContentSource) => Promise<void>,
    damaged: [Descriptor, Uint8Array][] = [],
  ): ContractCase => ({
    name,
    run: () => use(makeWith([SMALL, EMPTY, LARGE], damaged), check),
  });
  return [
    ...SIZES.map(([size, bytes]) =>
      promise(`it has and gives out a ${size} blob`, async (source) => {
        assert.equal(await source.has(describeBytes(bytes)), true);
        await assertHolds(source, describeBytes(bytes), bytes);
      }),
    ),
    promise('it lists what it has, if it lists anything', async (source) => {
      const digests = await source.digests?.();
      if (digests === undefined) return;
      for (const [, bytes] of SIZES) assert.ok(digests.has(describeBytes(bytes).digest));
    }),
    promise('it lacks what it was not given', async (source) => {
      const other = describeBytes(Buffer.from('other'));
      assert.equal(await source.has(other), false);
      await rejectsWith('NOT_FOUND', source.open(other));
    }),
    ...[0, 1, 5, SMALL.length].map((offset) =>
      promise(`it gives out a blob from offset ${offset}`, async (source) => {
        const read = await buffer(await source.open(describeBytes(SMALL), { offset }));
        assert.equal(read.toString(), SMALL.subarray(offset).toString());
      }),
    ),
    promise('a stream from an offset deep in a large blob is right to its end', async (source) => {
      const read = await buffer(await source.open(describeBytes(LARGE), { offset: 1_234_567 }));
      assert.ok(read.equals(LARGE.subarray(1_234_567)));
    }),
    ...damages().map(({ code, name, descriptor, bytes }) =>
      promise(
        `its stream fails with ${code} if the blob ${name}`,
        (source) => rejectsWith(code, readWhole(source, descriptor), descriptor.digest),
        [[descriptor, bytes]],
      ),
    ),
    promise('it rejects with the reason of a signal that is aborted', async (source) => {
      const signal = AbortSignal.abort(ENOUGH);
      await assert.rejects(source.has(describeBytes(SMALL), { signal }), ENOUGH);
      await assert.rejects(source.open(describeBytes(SMALL), { signal }), ENOUGH);
    }),
    promise('its stream ends with the reason of a signal that is aborted midway', async (source) => {
      const controller = new AbortController();
      const stream = await source.open(describeBytes(LARGE), { signal: controller.signal });
      const reading = (async () => {
        for await (const _ of stream) controller.abort(ENOUGH);
      })();
      await assert.rejects(reading, ENOUGH);
    }),
    promise(
      'content that passes in one order has positions of its own, and is read in that order',
      async (source) => {
        const positions = SIZES.map(([, bytes]) => ({ bytes, at: source.position?.(describeBytes(bytes)) }));
        const passing = positions.flatMap(({ bytes, at }) => (at === undefined ? [] : [{ bytes, at }]));
        assert.equal(
          new Set(passing.map(({ at }) => at)).size,
          passing.length,
          'two blobs have one position',
        );
        for (const { bytes } of passing.toSorted((a, b) => a.at - b.at))
          await assertHolds(source, describeBytes(bytes), bytes);
      },
    ),
    promise('a stream that is not read can be dropped', async (source) => {
      const stream = await source.open(describeBytes(LARGE));
      const closed = once(stream, 'close');
      stream.destroy();
      await closed;
    }),
  ];
}

/**
 * What every {@link ContentSink} promises.
 * @param makeWith makes a sink that can be read again and holds `blobs`
 */
export function contentSinkContract(
  makeWith: (blobs: Uint8Array[]) => Promise<PlaceUnderTest<ContentSink & ContentSource>>,
): ContractCase[] {
  const promise = (
    name: string,
    check: (sink: ContentSink & ContentSource) => Promise<void>,
  ): ContractCase => ({ name, run: () => use(makeWith([EMPTY]), check) });
  const refused: [ErrorCode, string, Uint8Array][] = [
    ['DIGEST_MISMATCH', 'has a flipped bit', flip(SMALL)],
    ['SIZE_MISMATCH', 'is cut', SMALL.subarray(1)],
    ['SIZE_MISMATCH', 'has a byte too many', Buffer.concat([SMALL, SMALL.subarray(0, 1)])],
  ];
  return [
    ...SIZES.map(([size, bytes]) =>
      promise(`it stores a ${size} blob`, async (sink) => {
        await sink.put(describeBytes(bytes), chunksOf(bytes));
        assert.equal(await sink.has(describeBytes(bytes)), true);
        await assertHolds(sink, describeBytes(bytes), bytes);
      }),
    ),
    promise('it stores a blob twice', async (sink) => {
      await sink.put(describeBytes(SMALL), chunksOf(SMALL));
      await sink.put(describeBytes(SMALL), chunksOf(SMALL));
      const writer = await sink.begin();
      await writer.write(SMALL);
      await writer.commit();
      await assertHolds(sink, describeBytes(SMALL), SMALL);
    }),
    promise('it stores a blob under a sha512 digest', async (sink) => {
      const descriptor = { ...describeBytes(SMALL), digest: digestOf(SMALL, 'sha512') };
      await sink.put(descriptor, chunksOf(SMALL));
      await assertHolds(sink, descriptor, SMALL);
      const other = { ...descriptor, digest: digestOf(LARGE, 'sha512') };
      await rejectsWith('DIGEST_MISMATCH', sink.put(other, chunksOf(SMALL)));
    }),
    ...refused.map(([code, name, bytes]) =>
      promise(`it refuses with ${code} a blob that ${name}`, async (sink) => {
        await rejectsWith(code, sink.put(describeBytes(SMALL), chunksOf(bytes)));
        assert.equal(await sink.has(describeBytes(SMALL)), false);
      }),
    ),
    promise('it stores nothing of bytes that break off', async (sink) => {
      const broken = (async function* () {
        yield SMALL.subarray(0, 3);
        throw ENOUGH;
      })();
      await assert.rejects(sink.put(describeBytes(SMALL), broken), ENOUGH);
      assert.equal(await sink.has(describeBytes(SMALL)), false);
    }),
    promise('a blob of unknown digest is described when it is committed', async (sink) => {
      const writer = await sink.begin();
      for await (const chunk of chunksOf(LARGE)) await writer.write(chunk);
      assert.equal(await sink.has(describeBytes(LARGE)), false);
      const described = describeBytes(LARGE, 'text/plain');
      assert.deepEqual(await writer.commit({ mediaType: 'text/plain' }), described);
      await assert.rejects(writer.write(SMALL));
      assert.deepEqual(await writer.commit(), described);
      await writer.abort();
      assert.equal(await sink.has(describeBytes(LARGE)), true);
    }),
    promise('a blob is committed only as what is expected', async (sink) => {
      const wrong: [Partial<Descriptor>, ErrorCode][] = [
        [{ size: 1 }, 'SIZE_MISMATCH'],
        [{ digest: digestOf(LARGE) }, 'DIGEST_MISMATCH'],
      ];
      for (const [expected, code] of wrong) {
        const writer = await sink.begin();
        await writer.write(SMALL);
        await rejectsWith(code, writer.commit(expected));
      }
      assert.equal(await sink.has(describeBytes(SMALL)), false);
    }),
    promise('a blob that is aborted is gone', async (sink) => {
      const writer = await sink.begin();
      await writer.write(SMALL);
      await writer.abort();
      await writer.abort();
      await assert.rejects(writer.commit());
      await assert.rejects(writer.write(SMALL));
      assert.equal(await sink.has(describeBytes(SMALL)), false);
    }),
    promise('many blobs are written at a time', async (sink) => {
      const blobs = Array.from({ length: 20 }, (_, i) => Buffer.from(`blob ${i % 15}`));
      await Promise.all(blobs.map((bytes) => sink.put(describeBytes(bytes), chunksOf(bytes))));
      for (const bytes of blobs) await assertHolds(sink, describeBytes(bytes), bytes);
    }),
    promise('it rejects with the reason of a signal that is aborted', async (sink) => {
      const signal = AbortSignal.abort(ENOUGH);
      await assert.rejects(sink.begin({ signal }), ENOUGH);
      await assert.rejects(sink.put(describeBytes(SMALL), chunksOf(SMALL), { signal }), ENOUGH);
      const controller = new AbortController();
      const writer = await sink.begin({ signal: controller.signal });
      controller.abort(ENOUGH);
      await assert.rejects(writer.write(SMALL), ENOUGH);
      await writer.abort();
    }),
  ];
}

async function use<T>(made: Promise<PlaceUnderTest<T>>, check: (place: T) => Promise<void>): Promise<void> {
  const { place, close } = await made;
  try {
    await check(place);
  } finally {
    await close?.();
  }
}

async function readWhole(source: ContentSource, descriptor: Descriptor): Promise<Buffer> {
  return buffer(await source.open(descriptor));
}

async function assertHolds(source: ContentSource, descriptor: Descriptor, bytes: Buffer): Promise<void> {
  assert.ok((await readWhole(source, descriptor)).equals(bytes), 'other bytes were read');
}

/** Blobs that are damaged, and the error that each gives. */
function damages(): { code: ErrorCode; name: string; descriptor: Descriptor; bytes: Uint8Array }[] {
  const wanted = { ...describeBytes(LARGE), digest: digestOf(Buffer.from('not there otherwise')) };
  const code = 'SIZE_MISMATCH';
  return [
    { code: 'DIGEST_MISMATCH', name: 'has a flipped bit', descriptor: wanted, bytes: flip(LARGE) },
    { code, name: 'is cut', descriptor: wanted, bytes: LARGE.subarray(0, -1) },
    {
      code,
      name: 'has a byte too many',
      descriptor: wanted,
      bytes: Buffer.concat([LARGE, Buffer.from('x')]),
    },
    { code, name: 'is empty', descriptor: wanted, bytes: EMPTY },
  ];
}

function flip(bytes: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[copy.length >> 1] = (copy[copy.length >> 1] ?? 0) ^ 1;
  return copy;
}
