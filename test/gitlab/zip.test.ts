import { buffer } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import type { RandomAccess } from '../../src/gitlab/random-access.ts';
import { ZipFiles } from '../../src/gitlab/zip-files.ts';
import { Readable } from 'node:stream';
import { readSmallFile } from '../../src/gitlab/artifact-files.ts';
import type { ZipFileOptions } from '../support/zip-bytes.ts';
import { zip } from '../support/zip-bytes.ts';

/** A zip in memory that notes what was read of it. */
class Memory implements RandomAccess {
  readonly isRemote = false;
  readonly name = 'the zip';
  readonly reads: [start: number, length: number][] = [];
  closed = false;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get size(): number {
    return this.#bytes.length;
  }

  async *read(start: number, length: number): AsyncGenerator<Uint8Array, void, undefined> {
    this.reads.push([start, length]);
    const part = this.#bytes.subarray(start, start + length);
    for (let i = 0; i < part.length; i += 1000) yield part.subarray(i, i + 1000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.closed = true;
  }
}

const TEXT = Buffer.from('some text '.repeat(500));
const read = (files: ZipFiles, path: string): Promise<Buffer> => buffer(Readable.from(files.read(path)));

async function readOnly(options: Partial<ZipFileOptions>, others: ZipFileOptions[] = []): Promise<Buffer> {
  const archive = zip([{ path: 'a.txt', bytes: TEXT, ...options }, ...others]);
  return read(await ZipFiles.open(new Memory(archive)), 'a.txt');
}

describe('a file in a zip', () => {
  test.each<Partial<ZipFileOptions>>([
    { method: 'stored' },
    { method: 'deflated' },
    { method: 'stored', dataDescriptor: false },
    { method: 'deflated', dataDescriptor: false },
    { method: 'stored', zip64: true },
    { method: 'deflated', zip64: true },
    { extra: 28 },
    { mode: 0 },
  ])('is read: %j', async (options) => {
    expect((await readOnly(options, [{ path: 'b.txt', bytes: TEXT }])).equals(TEXT)).toBe(true);
  });

  test.each<[string, Partial<ZipFileOptions>]>([
    ['has another name in its own header', { local: { name: 'b.txt' } }],
    ['is compressed otherwise by its own header', { local: { method: 0 } }],
    ['has no header where the directory says', { local: { signature: 1 } }],
    ['is longer than the directory says', { directory: { size: TEXT.length - 1 } }],
    ['is shorter than the directory says', { directory: { size: TEXT.length + 1 } }],
    ['reaches into the next file', { directory: { compressedSize: 500 } }],
    ['lies behind the end', { directory: { start: 1_000_000 } }],
    ['is encrypted', { directory: { flags: 1 } }],
    ['is compressed in an unusual way', { directory: { method: 14 } }],
    ['has more before its bytes than is looked for', { extra: 60_000 }],
    ['has more before its bytes than is looked for, stored', { extra: 60_000, method: 'stored' }],
  ])('that %s is refused', async (_, options) => {
    const others = [{ path: 'b.txt', bytes: TEXT }];
    await expect(readOnly(options, others)).rejects.toMatchObject({ code: 'MALFORMED' });
  });

  test('that is there twice is refused', async () => {
    await expect(readOnly({}, [{ path: 'a.txt', bytes: TEXT }])).rejects.toMatchObject({ code: 'MALFORMED' });
  });

  test('that is a link is refused', async () => {
    await expect(readOnly({ mode: 0o120777 })).rejects.toMatchObject({ code: 'LINK' });
  });

  test('whose checksum differs is refused where nothing else checks it', async () => {
    const options = { path: 'a.txt', bytes: TEXT, directory: { crc32: 1 } };
    const files = await ZipFiles.open(new Memory(zip([options])));
    await expect(readSmallFile(files, 'a.txt')).rejects.toMatchObject({ code: 'MALFORMED' });
  });

  test('that inflates to far more than it says is stopped there', async () => {
    const bomb = Buffer.alloc(50_000_000);
    const options = { path: 'a.txt', bytes: bomb, directory: { size: 10 } };
    const files = await ZipFiles.open(new Memory(zip([options])));
    let size = 0;
    const reading = (async () => {
      for await (const chunk of files.read('a.txt')) size += chunk.length;
    })();
    await expect(reading).rejects.toMatchObject({ code: 'MALFORMED' });
    expect(size).toBeLessThanOrEqual(10);
  });

  test('that is damaged does not keep others from being read', async () => {
    const archive = zip([
      { path: 'a.txt', bytes: TEXT, local: { signature: 1 } },
      { path: 'b.txt', bytes: TEXT },
      { path: '../c.txt', bytes: TEXT },
    ]);
    const files = await ZipFiles.open(new Memory(archive));
    expect((await read(files, 'b.txt')).equals(TEXT)).toBe(true);
  });

  test('that is stored is read from an offset without what is before it', async () => {
    const memory = new Memory(zip([{ path: 'a.txt', bytes: TEXT, method: 'stored' }]));
    const files = await ZipFiles.open(memory);
    memory.reads.length = 0;
    const rest = await buffer(Readable.from(files.read('a.txt', { offset: 4000 })));
    expect(rest.equals(TEXT.subarray(4000))).toBe(true);
    expect(memory.reads.reduce((sum, [, length]) => sum + length, 0)).toBeLessThan(TEXT.length - 4000 + 100);
  });
});

/** As many blobs of a layout. */
function many(count: number): ZipFileOptions[] {
  return Array.from({ length: count }, (_, i) => ({
    path: `.drayage/123/blobs/sha256/${String(i).padStart(64, '0')}`,
    bytes: Buffer.from(`blob ${i}`),
    method: 'stored',
  }));
}

describe('the directory of a zip', () => {
  test('of a layout is one short read at the end', async () => {
    const memory = new Memory(
      zip([...many(60), { path: 'x', bytes: Buffer.alloc(200_000), method: 'stored' }]),
    );
    await ZipFiles.open(memory);
    expect(memory.reads).toEqual([[memory.size - 16_384, 16_384]]);
  });

  test.each([
    [70_000, true],
    [5000, false],
  ])('of %i files is some long reads', async (count, zip64) => {
    const memory = new Memory(zip(many(count), { zip64 }));
    const files = await ZipFiles.open(memory);
    expect(files.sizes.size).toBe(count);
    expect(memory.reads.length).toBeLessThan(20);
    expect((await read(files, many(count).at(-1)?.path ?? '')).toString()).toBe(`blob ${count - 1}`);
  });

  test('that cannot be read closes the file', async () => {
    const memory = new Memory(Buffer.from('no zip'));
    await expect(ZipFiles.open(memory)).rejects.toMatchObject({ code: 'MALFORMED' });
    expect(memory.closed).toBe(true);
  });
});
