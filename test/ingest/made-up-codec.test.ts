import { buffer } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { collect } from '../../src/archive/read/collect.ts';
import { prepareLayer } from '../../src/image/layer.ts';
import { prove } from '../../src/image/prove.ts';
import { chooseCodec } from '../../src/ingest/codec.ts';
import { createIngest } from '../../src/ingest/ingest.ts';
import { digestOf } from '../../src/oci/digest.ts';
import type { Compression } from '../../src/oci/media-types.ts';
import {
  COMPRESSIONS,
  isNonDistributable,
  layerCompression,
  ociLayerType,
} from '../../src/oci/media-types.ts';
import { ByteReader } from '../../src/stream/byte-reader.ts';
import type { Codec } from '../../src/stream/codec.ts';
import { CODECS, detectCompression } from '../../src/stream/codecs.ts';
import { measure } from '../../src/stream/sniffed.ts';
import { entry, tar } from '../support/archives/tar-bytes.ts';
import { MemoryContent } from '../support/memory-content.ts';

const NAME = 'flip' as Compression;
const MAGIC = Buffer.from('f11bf11b', 'hex');
const LAYER = Buffer.alloc(70_000, 'some line of text\n');

/** A block is a magic, the block's length, and its bytes with all bits inverted. */
const FLIP: Codec = {
  magic: /^f11bf11b/,
  blockSize: 32 * 1024,
  levels: { max: 3, byDefault: 2 },
  unreadBy: 'docker',
  async *decompress(bytes) {
    for await (const block of blocks(bytes)) yield inverted(block);
  },
  async measure(bytes) {
    let size = 0;
    for await (const block of blocks(bytes)) size += block.length;
    return size;
  },
  compressor: (level) => async (block) => {
    const head = Buffer.alloc(8, level);
    MAGIC.copy(head);
    head.writeUInt32LE(block.length, 4);
    return [head, inverted(block)];
  },
};

async function* blocks(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = new ByteReader(bytes);
  for (;;) {
    const head = Buffer.from(await reader.read(8));
    if (head.length === 0) return;
    yield reader.read(head.readUInt32LE(4));
  }
}

function inverted(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.map((byte) => ~byte));
}

beforeAll(() => {
  // What a new codec takes: a row of the table, and its name.
  Object.assign(CODECS, { [NAME]: FLIP });
  (COMPRESSIONS as unknown as Compression[]).push(NAME);
});

afterAll(() => {
  Reflect.deleteProperty(CODECS, NAME);
  (COMPRESSIONS as unknown as Compression[]).pop();
});

async function stored(bytes: Uint8Array, content: MemoryContent) {
  await using ingest = createIngest(content, { codec: chooseCodec(NAME), concurrency: 2 });
  return ingest.layer(Readable.from([bytes]), { entry: 'layer.tar' });
}

test('layers are stored in it, under its media type', async () => {
  const content = new MemoryContent();
  const blob = await stored(LAYER, content);
  expect(blob.mediaType).toBe('application/vnd.oci.image.layer.v1.tar+flip');
  expect(blob.diffId).toBe(digestOf(LAYER));
  const bytes = await buffer(await content.open(blob));
  expect(bytes.length).toBe(LAYER.length + 3 * 8);
  expect(detectCompression(bytes)).toBe('flip');
});

test('an archive entry in it is a layer', async () => {
  const content = new MemoryContent();
  const bytes = await buffer(await content.open(await stored(LAYER, content)));
  await using ingest = createIngest(content, { codec: chooseCodec(NAME) });
  const archive = Readable.from([tar(entry('layer', bytes))]);
  const { entries } = await collect(archive, { ingest: ingest.layer, content });
  expect(entries.get('layer')).toMatchObject({ kind: 'layer', layer: { diffId: digestOf(LAYER) } });
});

test('its media types are those of layers', () => {
  expect(ociLayerType(NAME)).toBe('application/vnd.oci.image.layer.v1.tar+flip');
  expect(layerCompression('application/vnd.docker.image.rootfs.diff.tar.flip')).toBe('flip');
  expect(isNonDistributable('application/vnd.oci.image.layer.nondistributable.v1.tar+flip')).toBe(true);
});

test('layers in it are read, measured and checked', async () => {
  const content = new MemoryContent();
  const { diffId, ...blob } = await stored(LAYER, content);
  expect(await measure(await content.open(blob), 'layer')).toEqual({
    compression: 'flip',
    size: LAYER.length,
  });
  expect(await prove(content, { blob, diffId })).toBe(LAYER.length);
  const { bytes } = await prepareLayer(content, { blob, diffId });
  expect((await buffer(bytes)).equals(LAYER)).toBe(true);
});

test('a layer that arrives in it is stored as it came', async () => {
  const first = await stored(LAYER, new MemoryContent());
  const content = new MemoryContent();
  const arriving = Buffer.concat([MAGIC, Buffer.from([3, 0, 0, 0]), inverted(Buffer.from('abc'))]);
  const layer = await stored(arriving, content);
  expect(layer.diffId).toBe(digestOf(Buffer.from('abc')));
  expect(layer).toMatchObject({ digest: digestOf(arriving), mediaType: first.mediaType });
});

test('it is chosen by its name, with its own levels', () => {
  expect(chooseCodec(NAME)).toMatchObject({ compression: 'flip', blockSize: 32 * 1024 });
  expect(() => chooseCodec(NAME, 4)).toThrow(expect.objectContaining({ code: 'USAGE', hint: 'use 1 to 3' }));
});
