import { open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Archive } from '../../../src/archive/read/archive.ts';
import { readArchive } from '../../../src/archive/read/read.ts';
import { isDrayageError } from '../../../src/errors.ts';
import { chooseCodec } from '../../../src/ingest/codec.ts';
import { createIngest } from '../../../src/ingest/ingest.ts';
import { Layout } from '../../../src/layout/layout.ts';
import { select } from '../../../src/select/select.ts';
import { FileBytes } from '../../../src/disk/file-bytes.ts';
import { PRODUCED } from '../../support/archives/producers.ts';
import { inChunks } from '../../support/archives/read-bytes.ts';
import { entry, tar } from '../../support/archives/tar-bytes.ts';
import { imageConfig, json } from '../../support/archives/images.ts';
import { FillingSource } from '../../stream/sources.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const FOLDER = new URL('../../../fixtures/', import.meta.url);
const names = Object.keys(JSON.parse(await readFile(new URL('expected.json', FOLDER), 'utf8')));
const fixtures = await Promise.all(
  names.map(async (name) => ({ name, bytes: await readFile(new URL(name, FOLDER)) })),
);
const corpus = [
  ...fixtures,
  ...PRODUCED.map(({ producer, archive }) => ({ name: producer, bytes: archive })),
];

/** What an archive leads to: its images, or its error, without the hint. */
async function outcome(
  bytes: AsyncIterable<Uint8Array>,
  compression: 'none' | 'gzip',
  concurrency = 1,
  signal?: AbortSignal,
): Promise<unknown> {
  const layout = await Layout.create(join(await temporaryFolder(), 'layout'));
  let result: unknown;
  await layout.update(async (content) => {
    await using ingest = createIngest(content, { codec: chooseCodec(compression), concurrency, signal });
    try {
      result = await imagesOf(await readArchive(bytes, { ingest: ingest.layer, content, signal }));
    } catch (error) {
      if (!isDrayageError(error)) throw error;
      result = { code: error.code, message: error.message };
    }
  });
  return result;
}

async function imagesOf(archive: Archive): Promise<unknown[]> {
  const images = [];
  for (const one of await select([archive.place], {})) images.push(await archive.store(one));
  return images;
}

describe('an archive that fills the memory of its reader is read as one in chunks', () => {
  test.each(corpus)('$name', async ({ bytes }) => {
    const chunks = await outcome(inChunks(bytes, 65_536), 'gzip');
    expect(await outcome(new FillingSource(bytes), 'gzip')).toEqual(chunks);
    expect(await outcome(new FillingSource(bytes, 33_333), 'gzip', 2)).toEqual(chunks);
  });

  test.each(corpus.slice(0, 4))('$name, cut off', async ({ bytes }) => {
    for (let cut = 1; cut < bytes.length; cut += Math.ceil(bytes.length / 7)) {
      const part = bytes.subarray(0, cut);
      const chunks = await outcome(inChunks(part, 65_536), 'none');
      expect(await outcome(new FillingSource(part), 'none')).toEqual(chunks);
    }
  });

  test.each(corpus.slice(0, 4))('$name, with a byte changed', async ({ bytes }) => {
    for (let at = 0; at < bytes.length; at += Math.ceil(bytes.length / 7)) {
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] ?? 0) ^ 0xff;
      const chunks = await outcome(inChunks(damaged, 65_536), 'gzip');
      expect(await outcome(new FillingSource(damaged), 'gzip')).toEqual(chunks);
    }
  });
});

describe('a large layer', () => {
  const layer = Buffer.concat([entry('big', Buffer.alloc(9_000_000, 'content')), Buffer.alloc(1024)]);
  const config = imageConfig([layer]);
  const manifest = json([{ Config: 'c', RepoTags: ['big:1'], Layers: ['l'] }]);
  const archive = tar(entry('c', config), entry('l', layer), entry('manifest.json', manifest));

  test.each(['none', 'gzip'] as const)('passes without chunks, compression %s', async (compression) => {
    const source = new FillingSource(archive);
    const filled = await outcome(source, compression, 2);
    expect(filled).toEqual(await outcome(inChunks(archive, 65_536), compression));
    // One chunk for the headers before it, one for what follows.
    expect(source.inChunks).toBeLessThanOrEqual(2 * 65_536);
  });

  test('of a file is read from its current position', async () => {
    const path = join(await temporaryFolder(), 'archive.tar');
    await writeFile(path, Buffer.concat([Buffer.from('skipped'), archive]));
    const handle = await open(path);
    await handle.read(Buffer.alloc(7), 0, 7, null);
    const read = await outcome(new FileBytes(handle), 'none', 2);
    expect(read).toEqual(await outcome(inChunks(archive, 65_536), 'none'));
    await expect(handle.stat()).rejects.toMatchObject({ code: 'EBADF' });
  });

  test('ends with the error of its source, which is destroyed', async () => {
    const source = new FillingSource(archive.subarray(0, 2_000_000), Infinity, new Error('broken'));
    await expect(outcome(source, 'none')).rejects.toThrow('broken');
    expect(source.destroyed).toBe(true);
  });

  test('ends with an abort although its source is silent, and destroys it', async () => {
    const source = new FillingSource(archive);
    source.readInto = () => new Promise(() => {});
    const controller = new AbortController();
    const reading = outcome(source, 'none', 1, controller.signal);
    setTimeout(() => controller.abort(new Error('enough')), 20);
    await expect(reading).rejects.toThrow('enough');
    expect(source.destroyed).toBe(true);
  });
});
