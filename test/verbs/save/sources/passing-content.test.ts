import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { expect, test, vi } from 'vitest';
import type { ImageEndpoint } from '../../../../src/content/endpoint.ts';
import type { Descriptor } from '../../../../src/oci/descriptor.ts';
import { digestHex } from '../../../../src/oci/digest.ts';
import { chunksOf, describeBytes } from '../../../../src/testing/sample-images.ts';
import { PassingContent } from '../../../../src/verbs/save/sources/passing-content.ts';
import { contentSourceContract } from '../../../contract/content.ts';
import { entry, tar } from '../../../support/archives/tar-bytes.ts';

const unused = (): never => expect.fail('it only saves');

type Blob = readonly [Descriptor, Uint8Array];

/** What is left of a daemon's archive of these blobs, which has passed; each `save` is a request. */
async function passing(blobs: readonly Blob[]) {
  const entries = blobs.map(([blob, bytes]) => entry(nameOf(blob), Buffer.from(bytes)));
  const save = vi.fn<ImageEndpoint['save']>(async () => Readable.from(chunksOf(tar(...entries))));
  const content = new PassingContent({ save, inspect: unused, platform: unused, load: unused }, {});
  for await (const _ of await content.recordedDaemon.save([])) {
    for (const [{ digest, size, mediaType }] of blobs) {
      const layer = { digest, size, mediaType, diffId: digest, uncompressedSize: size };
      content.comes(nameOf({ digest }))({ ...layer, status: 'written', received: { digest, size } });
    }
  }
  save.mockClear();
  return { content, save };
}

function nameOf({ digest }: Pick<Descriptor, 'digest'>): string {
  return `blobs/sha256/${digestHex(digest)}`;
}

function described(...texts: string[]): Blob[] {
  return texts.map((text) => Buffer.from(text)).map((bytes) => [describeBytes(bytes), bytes]);
}

contentSourceContract('what passes', async (blobs, damaged) => {
  const { content } = await passing([
    ...blobs.map((bytes): Blob => [describeBytes(bytes), bytes]),
    ...damaged,
  ]);
  return { place: content, close: async () => content.close() };
});

test('one request serves what is opened in the order in which it passes', async () => {
  const blobs = described('base', 'middle', 'top');
  const { content, save } = await passing(blobs);
  const opened = blobs.map(async ([blob]) => buffer(await content.open(blob)));
  expect((await Promise.all(opened)).map(String)).toEqual(['base', 'middle', 'top']);
  expect(save).toHaveBeenCalledTimes(1);
});

test('who waits for a turn is let go by the signal, and makes no request', async () => {
  const [[base], [top]] = [...described('base', 'top')] as [Blob, Blob];
  const { content, save } = await passing(described('base', 'top'));
  const first = await content.open(top);
  const stop = new AbortController();
  const second = content.open(base, { signal: stop.signal });
  stop.abort(new Error('enough'));
  await expect(second).rejects.toThrow('enough');
  expect(String(await buffer(first))).toBe('top');
  expect(String(await buffer(await content.open(base)))).toBe('base');
  expect(save).toHaveBeenCalledTimes(2);
});

test('a request that is not answered is let go by the signal, and ended by close', async () => {
  const [[base]] = [...described('base')] as [Blob];
  const { content, save } = await passing(described('base'));
  save.mockImplementation(() => new Promise(() => {}));
  const stop = new AbortController();
  const opened = content.open(base, { signal: stop.signal });
  await vi.waitFor(() => expect(save).toHaveBeenCalledTimes(1));
  stop.abort(new Error('enough'));
  await expect(opened).rejects.toThrow('enough');
  const { signal } = save.mock.lastCall?.[1] ?? {};
  expect(signal?.aborted).toBe(false);
  content.close();
  expect(signal?.aborted).toBe(true);
});
