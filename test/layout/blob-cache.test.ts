import { chmod, mkdir, readFile, readdir, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { describe, expect, test, vi } from 'vitest';
import type { ContentSource } from '../../src/content/source.ts';
import { BlobCache } from '../../src/layout/blob-cache.ts';
import { localFirst } from '../../src/layout/local-first.ts';
import { describeBytes } from '../../src/testing/sample-images.ts';
import { contentSourceContract } from '../contract/content.ts';
import { MemoryContent } from '../support/memory-content.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { snapshot } from './folders.ts';

const A = Buffer.alloc(100_000, 'a');
const B = Buffer.alloc(100_000, 'b');
const C = Buffer.alloc(100_000, 'c');
let time = 1_000_000_000_000;
const now = (): number => (time += 1000);

async function newCache(maxBytes?: number): Promise<BlobCache> {
  return BlobCache.open(join(await temporaryFolder(), 'cache', 'project-12'), { maxBytes, now });
}

/** A source that notes what was opened. */
class Counted extends MemoryContent {
  readonly opened: string[] = [];

  override async open(...args: Parameters<MemoryContent['open']>): ReturnType<MemoryContent['open']> {
    this.opened.push(args[0].digest);
    return super.open(...args);
  }
}

const chained = (cache: BlobCache, source: ContentSource): ContentSource =>
  localFirst([cache], cache.filledFrom(source));
const readAll = async (source: ContentSource, bytes: Uint8Array): Promise<Buffer> =>
  buffer(await source.open(describeBytes(bytes)));
const fileOf = ({ path }: BlobCache, bytes: Uint8Array): string =>
  join(path, 'blobs/sha256', describeBytes(bytes).digest.slice(7));

contentSourceContract('a place behind a cache', async (blobs, damaged) => {
  const source = new MemoryContent(blobs);
  for (const [{ digest }, bytes] of damaged) source.blobs.set(digest, bytes);
  return { place: chained(await newCache(), source) };
});

contentSourceContract('a cache by itself', async (blobs, damaged) => {
  const cache = await newCache();
  await mkdir(join(cache.path, 'blobs/sha256'), { recursive: true });
  for (const bytes of blobs) await writeFile(fileOf(cache, bytes), bytes);
  for (const [{ digest }, bytes] of damaged)
    await writeFile(join(cache.path, 'blobs/sha256', digest.slice(7)), bytes);
  return { place: cache };
});

describe('a cache', () => {
  test('gives out the second time what it kept the first, to whoever opens it', async () => {
    const [cache, source] = [await newCache(), new Counted([A])];
    expect((await readAll(chained(cache, source), A)).equals(A)).toBe(true);
    const other = await BlobCache.open(cache.path, { now });
    expect((await readAll(chained(other, source), A)).equals(A)).toBe(true);
    expect(source.opened).toHaveLength(1);
  });

  test('belongs to its owner alone', async () => {
    const cache = await newCache();
    await chmod(cache.path, 0o755);
    const again = await BlobCache.open(cache.path, { now });
    await readAll(chained(again, new MemoryContent([A])), A);
    const modes = await Promise.all(
      [cache.path, join(cache.path, 'blobs/sha256'), fileOf(cache, A)].map((path) => stat(path)),
    );
    expect(modes.map(({ mode }) => mode & 0o777)).toEqual([0o700, 0o700, 0o600]);
  });

  test('removes a blob that is damaged, and has it come from elsewhere', async () => {
    const [cache, source] = [await newCache(), new Counted([A])];
    await readAll(chained(cache, source), A);
    await writeFile(fileOf(cache, A), Buffer.alloc(A.length, 'x'));
    expect((await readAll(chained(cache, source), A)).equals(A)).toBe(true);
    expect((await readFile(fileOf(cache, A))).equals(A)).toBe(true);
    await writeFile(fileOf(cache, A), Buffer.alloc(A.length, 'x'));
    await expect(cache.verifyBlob(describeBytes(A))).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
    expect(await cache.has(describeBytes(A))).toBe(false);
  });

  test('keeps nothing of a stream that is damaged, or is left before its end', async () => {
    const [cache, source] = [await newCache(), new MemoryContent([B])];
    source.blobs.set(describeBytes(A).digest, Buffer.alloc(A.length, 'x'));
    await expect(readAll(chained(cache, source), A)).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
    for await (const _ of await chained(cache, source).open(describeBytes(B))) break;
    expect(await cache.has(describeBytes(A))).toBe(false);
    expect(await cache.has(describeBytes(B))).toBe(false);
    // Whoever leaves a stream does not wait until it has ended.
    await vi.waitFor(async () => expect(await readdir(join(cache.path, 'partial'))).toEqual([]));
  });

  test('is used by many at a time', async () => {
    const [cache, source] = [await newCache(), new MemoryContent([A, B, C])];
    const all = Array.from({ length: 30 }, (_, i) => [A, B, C][i % 3] ?? A);
    const read = await Promise.all(all.map((bytes) => readAll(chained(cache, source), bytes)));
    expect(read.every((bytes, i) => bytes.equals(all[i] ?? A))).toBe(true);
    expect((await readdir(join(cache.path, 'blobs/sha256'))).length).toBe(3);
  });

  test('drops what was not used for the longest time when it holds too much', async () => {
    const cache = await newCache(250_000);
    const source = new MemoryContent([A, B, C]);
    await readAll(chained(cache, source), A);
    await readAll(chained(cache, source), B);
    await readAll(chained(cache, source), A);
    await readAll(chained(cache, source), C);
    await cache[Symbol.asyncDispose]();
    expect(await Promise.all([A, B, C].map((bytes) => cache.has(describeBytes(bytes))))).toEqual([
      true,
      false,
      true,
    ]);
  });

  test('keeps no blob that is larger than all it may hold', async () => {
    const cache = await newCache(1000);
    await readAll(chained(cache, new MemoryContent([A])), A);
    expect(await cache.has(describeBytes(A))).toBe(false);
  });

  test('sweeps what a killed job left half-written, and nothing that is being written, or has another name', async () => {
    const cache = await newCache();
    const partial = join(cache.path, 'partial');
    await mkdir(partial);
    const [old, fresh, foreign, future] = ['0'.repeat(16), '1'.repeat(16), 'notes.txt', '2'.repeat(16)];
    for (const name of [old, fresh, foreign, future]) await writeFile(join(partial, name), 'x');
    for (const name of [old, foreign])
      await utimes(join(partial, name), time / 1000 - 7200, time / 1000 - 7200);
    await utimes(join(partial, fresh), time / 1000, time / 1000);
    await utimes(join(partial, future), time / 1000 + 86_400, time / 1000 + 86_400);
    await cache[Symbol.asyncDispose]();
    expect((await readdir(partial)).toSorted()).toEqual([fresh, foreign]);
  });

  test('with a blob whose time is in the future drops it first', async () => {
    const cache = await newCache(150_000);
    await readAll(chained(cache, new MemoryContent([A])), A);
    await utimes(fileOf(cache, A), time / 1000 + 86_400, time / 1000 + 86_400);
    await readAll(chained(cache, new MemoryContent([B])), B);
    await cache[Symbol.asyncDispose]();
    expect([await cache.has(describeBytes(A)), await cache.has(describeBytes(B))]).toEqual([false, true]);
  });

  test('that cannot be written to is only no help', async () => {
    const cache = await newCache();
    await writeFile(join(cache.path, 'partial'), 'in the way');
    await writeFile(join(cache.path, 'blobs'), 'in the way');
    expect((await readAll(chained(cache, new MemoryContent([A])), A)).equals(A)).toBe(true);
  });

  test('is not looked for behind a link, and a link in it is no blob', async () => {
    const [cache, outside] = [await newCache(), await temporaryFolder()];
    await symlink(outside, join(cache.path, 'blobs'));
    expect((await readAll(chained(cache, new MemoryContent([A])), A)).equals(A)).toBe(true);
    await symlink(cache.path, join(outside, 'link'));
    await expect(BlobCache.open(join(outside, 'link'), { now })).rejects.toMatchObject({ code: 'LINK' });
    await expect(BlobCache.open(join(outside, 'link/inner'), { now })).rejects.toMatchObject({
      code: 'LINK',
    });
  });

  test.each(['partial', 'blobs', 'blobs/sha256'])(
    'replaces a link in the place of %s, and nothing behind it is removed or written',
    async (name) => {
      const [cache, outside] = [await newCache(1), await temporaryFolder()];
      // Names that a cache could remove if they were its own.
      for (const file of ['0'.repeat(16), 'a'.repeat(64), 'notes.txt']) {
        await writeFile(join(outside, file), 'precious');
        await utimes(join(outside, file), 1000, 1000);
      }
      await mkdir(join(outside, 'sha256'));
      await writeFile(join(outside, 'sha256', 'b'.repeat(64)), 'precious');
      await mkdir(join(cache.path, dirname(name)), { recursive: true });
      await symlink(outside, join(cache.path, name));
      const before = snapshot(outside);
      const roomy = await BlobCache.open(cache.path, { now });
      await readAll(chained(roomy, new MemoryContent([A])), A);
      expect(await roomy.has(describeBytes(A))).toBe(true);
      await symlink(join(outside, 'notes.txt'), fileOf(cache, B));
      await expect(cache.verifyBlob(describeBytes(B))).rejects.toMatchObject({ code: 'LINK' });
      await cache[Symbol.asyncDispose]();
      expect(snapshot(outside)).toEqual(before);
    },
  );

  test('with a link in the place of a folder sweeps nothing behind it', async () => {
    const outside = await temporaryFolder();
    for (const name of ['partial', 'blobs', 'blobs/sha256']) {
      const cache = await newCache(1);
      await mkdir(join(outside, 'sha256'), { recursive: true });
      for (const file of ['0'.repeat(16), `sha256/${'a'.repeat(64)}`, 'a'.repeat(64)])
        await writeFile(join(outside, file), 'precious');
      await utimes(join(outside, '0'.repeat(16)), 1000, 1000);
      await mkdir(join(cache.path, dirname(name)), { recursive: true });
      await symlink(outside, join(cache.path, name));
      const before = snapshot(outside);
      await cache[Symbol.asyncDispose]();
      expect(snapshot(outside)).toEqual(before);
    }
  });

  test('does not set the times of what a link leads to', async () => {
    const [cache, outside] = [await newCache(), await temporaryFolder()];
    await writeFile(join(outside, 'file'), A);
    await mkdir(join(cache.path, 'blobs/sha256'), { recursive: true });
    await symlink(join(outside, 'file'), fileOf(cache, A));
    const { mtimeMs } = await stat(join(outside, 'file'));
    await expect(cache.open(describeBytes(A))).rejects.toMatchObject({ code: 'LINK' });
    expect((await stat(join(outside, 'file'))).mtimeMs).toBe(mtimeMs);
  });

  test('of another user is refused', async () => {
    const cache = await newCache();
    const { uid } = await stat(cache.path);
    const refused = BlobCache.open(cache.path, { now, owners: [uid + 1] });
    await expect(refused).rejects.toMatchObject({
      code: 'UNSAFE',
      facts: { actual: uid, reason: 'CACHE_OWNER' },
    });
    await BlobCache.open(cache.path, { now, owners: [uid + 1, uid] });
  });
});
