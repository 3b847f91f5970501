import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  closeSync,
  mkdirSync,
  openSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { drain } from '../../src/stream/drain.ts';
import { StoredContent } from '../../src/layout/stored-content.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { digestHex } from '../../src/oci/digest.ts';
import { describeBytes } from '../../src/testing/sample-images.ts';
import { tempFolder } from './folders.ts';

/** Several reads long. */
const BYTES = Buffer.from(Buffer.alloc(2_000_000).map((_, i) => (i * 31 + (i >> 8)) & 0xff));
const OTHER = Buffer.from(BYTES.with(1_999_999, 0));

/** Overwrites a file in place. `writeFileSync` truncates it first, so that a reader that is ahead might see a short file. */
function overwrite(path: string, bytes: Buffer): void {
  const file = openSync(path, 'r+');
  writeSync(file, bytes);
  closeSync(file);
}

/** A stored blob, and what changes its file without a change of its size. */
function stored(bytes = BYTES): {
  content: StoredContent;
  blob: Descriptor;
  path: string;
  write: (bytes: Buffer) => void;
} {
  const root = tempFolder();
  const blob = describeBytes(BYTES);
  const path = join(root, 'blobs', 'sha256', digestHex(blob.digest));
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
  return { content: new StoredContent(root), blob, path, write: (changed) => overwrite(path, changed) };
}

/** Longer than the clock of any file system takes for a step. */
async function tick(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 20));
}

test('a blob that was hashed is read again as it is', async () => {
  const { content, blob } = stored();
  await drain(await content.open(blob));
  const read = await buffer(await content.open(blob, { trustUnchanged: true }));
  expect(read.equals(BYTES)).toBe(true);
});

test('a blob that was never hashed is hashed, however much it is trusted', async () => {
  const { content, blob } = stored(OTHER);
  await expect(buffer(await content.open(blob, { trustUnchanged: true }))).rejects.toMatchObject({
    code: 'DIGEST_MISMATCH',
  });
});

test('a blob that was changed since it was hashed is hashed again', async () => {
  const { content, blob, write } = stored();
  await drain(await content.open(blob));
  await tick();
  write(OTHER);
  await expect(buffer(await content.open(blob, { trustUnchanged: true }))).rejects.toMatchObject({
    code: 'DIGEST_MISMATCH',
  });
  write(BYTES);
  const read = await buffer(await content.open(blob, { trustUnchanged: true }));
  expect(read.equals(BYTES)).toBe(true);
});

test('a blob that is written to while it is read again is an error, also if its time was set back', async () => {
  const { content, blob, path, write } = stored();
  await content.verify(blob);
  // To the nanosecond.
  execFileSync('touch', ['-r', path, `${path}.times`]);
  await tick();
  const reading = async (): Promise<void> => {
    let chunks = 0;
    for await (const _ of await content.open(blob, { trustUnchanged: true })) {
      if (chunks++ > 0) continue;
      write(OTHER);
      write(BYTES);
      execFileSync('touch', ['-r', `${path}.times`, path]);
    }
  };
  await expect(reading()).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
});

test('the rest of a known blob is not passed on either if its file was changed', async () => {
  const { content, blob, write } = stored();
  await content.verify(blob);
  await tick();
  const reading = async (): Promise<void> => {
    let chunks = 0;
    for await (const _ of await content.open(blob, { offset: 1000, trustUnchanged: true }))
      if (chunks++ === 0) write(OTHER);
  };
  await expect(reading()).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
});

test('a blob that is written to while it is read again is an error', async () => {
  const { content, blob, write } = stored();
  await content.verify(blob);
  await tick();
  const reading = async (): Promise<void> => {
    let chunks = 0;
    for await (const _ of await content.open(blob, { trustUnchanged: true }))
      if (chunks++ === 0) write(OTHER);
  };
  await expect(reading()).rejects.toMatchObject({
    code: 'DIGEST_MISMATCH',
    facts: { digest: blob.digest, path: expect.stringContaining(digestHex(blob.digest)) as string },
  });
});

describe.each([
  ['is known', true, {}],
  ['is known, from an offset on', true, { offset: 1000 }],
  ['is not known', false, {}],
])('a blob that %s', (_state, isKnown, options) => {
  // The last read has not begun when the first bytes arrive, so each change is in time.
  test.each([
    ['is overwritten', (path: string) => overwrite(path, OTHER)],
    ['becomes shorter', (path: string) => truncateSync(path, 1000)],
    ['becomes empty', (path: string) => truncateSync(path)],
    ['becomes longer', (path: string) => appendFileSync(path, 'more')],
  ])('and %s while it is read has one error', async (_what, change) => {
    const { content, blob, path } = stored();
    if (isKnown) await content.verify(blob);
    await tick();
    const reading = async (): Promise<void> => {
      let chunks = 0;
      for await (const _ of await content.open(blob, { ...options, trustUnchanged: true }))
        if (chunks++ === 0) change(path);
    };
    const error: unknown = await reading().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'DIGEST_MISMATCH',
      message: `blob ${path} was changed while it was read`,
      facts: { path, digest: blob.digest },
    });
    // What is printed has the words of a cause, too.
    expect(inspect(error)).not.toContain('damaged');
  });
});

test.each([
  ['shorter', BYTES.subarray(1), 'SIZE_MISMATCH'],
  ['changed', OTHER, 'DIGEST_MISMATCH'],
])('a blob that was %s before it was read is damaged', async (_, found, code) => {
  const { content, blob } = stored(found);
  await expect(buffer(await content.open(blob))).rejects.toMatchObject({
    code,
    message: expect.stringContaining('is damaged') as string,
  });
});
