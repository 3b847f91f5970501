import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { CopiedBy, Receiver } from '../../src/image/copy.ts';
import { byteCounter, copyContents, intoSink } from '../../src/image/copy.ts';
import type { ImageContents } from '../../src/image/contents.ts';
import { contentsOf } from '../../src/image/contents.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { sampleImage, sampleIndex, sampleReferrer } from '../../src/testing/sample-images.ts';
import { contentOf } from '../layout/sample-images.ts';
import { MemoryContent } from '../support/memory-content.ts';

const APP = sampleImage(['a', 'b', 'c', 'd', 'e', 'f', 'g']);
const TOOLS = sampleImage(['a', 'b', 'tools']);
const BOTH = sampleIndex([APP, TOOLS]);
const SOURCE = contentOf([BOTH]);

/** Everything that a receiver was given, in that order: what began, and what ended. */
class Recorder implements Receiver {
  readonly events: [event: 'begun' | 'taken' | 'ended' | 'document', digest: Digest][] = [];
  readonly #take: (blob: Descriptor, signal: AbortSignal) => Promise<void>;

  constructor(take: (blob: Descriptor, signal: AbortSignal) => Promise<void> = async () => sleep(1)) {
    this.#take = take;
  }

  async takeBlob(blob: Descriptor, { signal = expect.fail() }: { signal?: AbortSignal }): Promise<CopiedBy> {
    this.events.push(['begun', blob.digest]);
    try {
      await this.#take(blob, signal);
    } catch (error) {
      this.events.push(['ended', blob.digest]);
      throw error;
    }
    this.events.push(['taken', blob.digest]);
    return 'written';
  }

  async takeDocument({ descriptor }: { descriptor: Descriptor }): Promise<void> {
    this.events.push(['document', descriptor.digest]);
  }

  of(event: 'begun' | 'taken' | 'ended' | 'document'): Digest[] {
    return this.events.filter(([kind]) => kind === event).map(([, digest]) => digest);
  }
}

const digests = (blobs: readonly Descriptor[]): Digest[] => blobs.map(({ digest }) => digest);
const contents = (root: Descriptor): Promise<ImageContents> => contentsOf(SOURCE, root);

test.each([
  [undefined, 4],
  [1, 1],
  [2, 2],
])('with a concurrency of %s, %d blobs are on their way at a time', async (concurrency, most) => {
  let [running, highest] = [0, 0];
  const receiver = new Recorder(async () => {
    highest = Math.max(highest, ++running);
    await sleep(2);
    running--;
  });
  await copyContents(await contents(APP.root), receiver, { concurrency });
  expect(highest).toBe(most);
  expect(receiver.of('taken').toSorted()).toEqual(digests([APP.config, ...APP.layers]).toSorted());
});

test('blobs come before documents, and a document after those that it names', async () => {
  const receiver = new Recorder();
  await copyContents(await contents(BOTH.root), receiver);
  const firstDocument = receiver.events.findIndex(([event]) => event === 'document');
  expect(receiver.events.slice(firstDocument).every(([event]) => event === 'document')).toBe(true);
  expect(receiver.of('document').at(-1)).toBe(BOTH.root.digest);
  expect(receiver.of('document')).toHaveLength(3);
});

test('each blob comes once for several roots, and is told once with how it came', async () => {
  const receiver = new Recorder();
  const { bytes, onBlob } = byteCounter();
  const done = new Set<Digest>();
  for (const { root } of [APP, TOOLS, APP])
    await copyContents(await contents(root), receiver, { done, onBlob });
  const all = [APP.config, ...APP.layers, TOOLS.config, ...TOOLS.layers.slice(2)];
  expect(receiver.of('begun').toSorted()).toEqual(digests(all).toSorted());
  expect(bytes).toEqual({
    written: all.reduce((sum, { size }) => sum + size, 0),
    mounted: 0,
    reused: 0,
  });
});

test('the first failure ends the others, begins no further blob, and puts no document', async () => {
  const failure = new Error('enough');
  const receiver = new Recorder(async (blob, signal) => {
    if (blob.digest === APP.layers[0]?.digest) throw failure;
    await sleep(60_000, undefined, { signal });
  });
  await expect(copyContents(await contents(APP.root), receiver, { concurrency: 3 })).rejects.toBe(failure);
  expect(receiver.of('begun')).toHaveLength(3);
  expect(receiver.of('ended')).toHaveLength(3);
  expect(receiver.of('document')).toEqual([]);
});

test('what is told of a blob is awaited, and its failure ends the copy', async () => {
  const receiver = new Recorder();
  const failure = new Error('another layer');
  const onBlob = async ({ digest }: Descriptor): Promise<void> => {
    await sleep(2);
    if (digest === APP.layers[1]?.digest) throw failure;
  };
  await expect(copyContents(await contents(APP.root), receiver, { onBlob })).rejects.toBe(failure);
  expect(receiver.of('document')).toEqual([]);
});

test('an abort ends it with its reason', async () => {
  const controller = new AbortController();
  const receiver = new Recorder(async (_, signal) => {
    controller.abort(new Error('no more'));
    await sleep(60_000, undefined, { signal });
  });
  const copying = copyContents(await contents(APP.root), receiver, { signal: controller.signal });
  await expect(copying).rejects.toThrow('no more');
  expect(receiver.of('document')).toEqual([]);
});

test('into a sink, nothing is opened that it has', async () => {
  const [shared, ...others] = APP.layers;
  const target = contentOf([APP], others);
  const opened: Digest[] = [];
  let read = 0;
  const source = {
    has: async (): Promise<boolean> => true,
    open: async (blob: Descriptor) => (opened.push(blob.digest), SOURCE.open(blob)),
  };
  const { bytes, onBlob } = byteCounter();
  const receiver = intoSink(source, target, (count) => (read += count));
  await copyContents(await contents(APP.root), receiver, { onBlob });
  expect(opened.toSorted()).toEqual(digests(others).toSorted());
  expect(target.blobs).toEqual(contentOf([APP]).blobs);
  expect(bytes).toEqual({ written: read, mounted: 0, reused: APP.config.size + (shared?.size ?? 0) });
});

test('an artifact is copied', async () => {
  const artifact = sampleReferrer(APP.root);
  const source = contentOf([artifact]);
  const target = new MemoryContent();
  await copyContents(await contentsOf(source, artifact.root), intoSink(source, target));
  expect(target.blobs).toEqual(source.blobs);
});
