import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gunzipSync, gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import type { IngestedLayer } from '../../src/content/layer.ts';
import type { CodecName } from '../../src/ingest/codec.ts';
import type { Compression } from '../../src/oci/media-types.ts';
import { OCI_LAYER } from '../../src/oci/media-types.ts';
import { chooseCodec } from '../../src/ingest/codec.ts';
import { createIngest } from '../../src/ingest/ingest.ts';
import { Layout } from '../../src/layout/layout.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { bareDescriptor } from '../../src/oci/descriptor.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { CODECS } from '../../src/stream/codecs.ts';
import { nativeZstd } from '../../src/stream/zstd-runtime.ts';
import { MemoryContent } from '../support/memory-content.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const hint = { entry: 'layer.tar', size: 0 };
const codecs: Compression[] = nativeZstd() === undefined ? ['none', 'gzip'] : ['none', 'gzip', 'zstd'];

/** Bytes that compress a little, the same in every run, over several blocks. */
function sample(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  let state = 1;
  for (let i = 0; i < size; i++) {
    state = (state * 1103515245 + 12345) & 0x7fffffff;
    bytes[i] = (state >> 16) & 0x3f;
  }
  return bytes;
}

function chunked(bytes: Uint8Array, size: number): AsyncIterable<Uint8Array> {
  const chunks = [];
  for (let start = 0; start < bytes.length; start += size) chunks.push(bytes.subarray(start, start + size));
  return Readable.from(chunks);
}

async function collect(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks = [];
  for await (const chunk of bytes) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function ingested(bytes: Uint8Array, name: CodecName, chunkSize = 65_536, concurrency?: number) {
  const content = new MemoryContent();
  const { layer: ingest } = createIngest(content, { codec: chooseCodec(name), concurrency });
  const layer = await ingest(chunked(bytes, chunkSize), hint);
  const stored = await collect(await content.open(layer));
  return { layer, stored, content };
}

const sizes = [0, 1, 1024 * 1024 - 1, 1024 * 1024, 4 * 1024 * 1024 + 1, 9_000_000];
test.each(codecs.flatMap((codec) => sizes.map((size) => [codec, size] as const)))(
  '%s: a layer of %i bytes is stored under the digest of its blob and known by the digest of its bytes',
  async (codec, size) => {
    const bytes = sample(size);
    const { layer, stored } = await ingested(bytes, codec);
    expect(layer.diffId).toBe(digestOf(bytes));
    expect(layer.received).toEqual({ digest: digestOf(bytes), size });
    expect(layer.uncompressedSize).toBe(size);
    expect(layer.status).toBe('written');
    expect(layer.digest).toBe(`sha256:${createHash('sha256').update(stored).digest('hex')}`);
    expect(layer.size).toBe(stored.length);
    const back = await collect(CODECS[codec].decompress(Readable.from([stored]), 'blob'));
    expect(back.equals(bytes)).toBe(true);
  },
);

test.each(codecs)(
  '%s: the blob does not depend on how the bytes are cut or how many blocks run at once',
  async (codec) => {
    const bytes = sample(5_000_000);
    const results = [
      await ingested(bytes, codec, 5_000_000, 1),
      await ingested(bytes, codec, 1000, 2),
      await ingested(bytes, codec, 65_537, 8),
    ];
    expect(new Set(results.map(({ layer }) => layer.digest)).size).toBe(1);
  },
);

test('the media type tells the compression', async () => {
  const types = await Promise.all(
    codecs.map(async (codec) => (await ingested(sample(10), codec)).layer.mediaType),
  );
  expect(types).toEqual(
    codecs.map((codec) => `application/vnd.oci.image.layer.v1.tar${codec === 'none' ? '' : `+${codec}`}`),
  );
});

test('a layer that arrives compressed is stored as it came, and its diffID is computed', async () => {
  const bytes = sample(3_000_000);
  const blob = gzipSync(bytes, { level: 9 });
  const { layer, stored } = await ingested(blob, 'none', 1000);
  expect(stored.equals(blob)).toBe(true);
  expect(layer).toMatchObject({
    diffId: digestOf(bytes),
    uncompressedSize: bytes.length,
    received: { digest: digestOf(blob), size: blob.length },
    digest: digestOf(blob),
    mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
  });
});

test('a layer that is stored already keeps its blob, whatever codec is asked for', async () => {
  const bytes = sample(2_000_000);
  const content = new MemoryContent();
  const first = await createIngest(content, { codec: chooseCodec('gzip') }).layer(
    chunked(bytes, 50_000),
    hint,
  );
  const asked: Digest[] = [];
  const { layer: ingest } = createIngest(content, {
    codec: chooseCodec('none'),
    findLayer: async (diffId) => {
      asked.push(diffId);
      return diffId === first.diffId ? first : undefined;
    },
  });
  const second = await ingest(chunked(bytes, 50_000), hint);
  expect(second).toEqual({ ...first, status: 'reused' });
  expect(asked).toEqual([first.diffId]);
});

test('a layer that is promised to be one that is stored is hashed only', async () => {
  const bytes = sample(3_000_000);
  const content = new MemoryContent();
  const { layer: first } = createIngest(content, { codec: chooseCodec('gzip') });
  const blob = await first(chunked(bytes, 50_000), hint);
  const { diffId } = blob;
  content.begin = () => Promise.reject(new Error('nothing is to be stored'));
  await using ingest = createIngest(content, {
    codec: chooseCodec('gzip'),
    concurrency: 2,
    findLayer: async (asked) => (asked === diffId ? blob : undefined),
  });
  const promised = { ...hint, promised: diffId };
  expect(await ingest.layer(chunked(bytes, 50_000), promised)).toEqual({
    received: { digest: diffId, size: bytes.length },
    diffId,
    uncompressedSize: bytes.length,
    ...bareDescriptor(blob),
    status: 'reused',
  });
  // A byte more than was promised: it is not the layer that is stored.
  const other = Buffer.concat([bytes, Buffer.from('x')]);
  await expect(ingest.layer(chunked(other, 50_000), promised)).rejects.toMatchObject({
    code: 'DIGEST_MISMATCH',
    facts: { expected: diffId, actual: digestOf(other), entry: hint.entry },
  });
});

test('a layer that a daemon states, and that is stored, only passes: nothing is hashed, and that is told', async () => {
  const bytes = sample(3_000_000);
  const diffId = digestOf(bytes);
  const blob = { mediaType: `${OCI_LAYER}+gzip`, digest: digestOf(Buffer.from('blob')), size: 4 };
  const heard: [string, boolean][] = [];
  const content = new MemoryContent();
  await using ingest = createIngest(content, {
    codec: chooseCodec('gzip'),
    findLayer: async (asked) => (asked === diffId ? blob : undefined),
    onLayer: ({ status }, isHashed) => heard.push([status, isHashed]),
  });
  const other = Buffer.from(bytes).fill(0, 1_000_000);
  const stated = { ...hint, promised: diffId, isStated: true };
  expect(await ingest.layer(chunked(other, 50_000), stated)).toEqual({
    received: { digest: diffId, size: bytes.length },
    diffId,
    // Nobody checked the bytes: how many there were is no fact.
    uncompressedSize: null,
    ...blob,
    status: 'reused',
  });
  // What is not stored is hashed, whoever states it.
  const unknown = { ...stated, promised: digestOf(Buffer.from('unknown')) };
  expect(await ingest.layer(chunked(other, 50_000), unknown)).toMatchObject({ diffId: digestOf(other) });
  expect(heard).toEqual([
    ['reused', false],
    ['written', true],
  ]);
});

test('a promise of what is not stored changes nothing', async () => {
  const bytes = sample(100_000);
  const { layer: ingest } = createIngest(new MemoryContent(), {
    codec: chooseCodec('gzip'),
    findLayer: async () => undefined,
  });
  const layer = await ingest(chunked(bytes, 9999), { ...hint, promised: digestOf(bytes) });
  expect(layer).toMatchObject({ diffId: digestOf(bytes), status: 'written' });
});

test.each(codecs)('%s: into a layout, several layers at once, with threads and without', async (codec) => {
  const layers = [sample(6_000_000), sample(2_500_001), gzipSync(sample(4_000_000))];
  const results: IngestedLayer[][] = [];
  for (const concurrency of [1, 2, 8]) {
    const layout = await Layout.create(join(await temporaryFolder(), 'layout'));
    await layout.update(async (content) => {
      await using ingest = createIngest(content, {
        codec: chooseCodec(codec),
        concurrency,
        memory: 9 * 1024 * 1024,
      });
      const taken = await Promise.all(layers.map((bytes) => ingest.layer(chunked(bytes, 65_536), hint)));
      for (const blob of taken) {
        const stored = await collect(await content.open(blob));
        expect(blob).toMatchObject({ digest: digestOf(stored), size: stored.length });
      }
      results.push(taken);
    });
  }
  expect(results[0]?.map(({ received }) => received.digest)).toEqual(layers.map((bytes) => digestOf(bytes)));
  expect(results[1]).toEqual(results[0]);
  expect(results[2]).toEqual(results[0]);
});

test('a sink that fails midway fails the layer, and ends the reading of its source', async () => {
  const content = new MemoryContent();
  const begin = content.begin.bind(content);
  content.begin = async (options) => ({
    ...(await begin(options)),
    write: () => Promise.reject(new Error('no space')),
  });
  let read = 0;
  async function* endless(): AsyncGenerator<Uint8Array> {
    for (; ; read++) {
      yield Buffer.alloc(65_536, read);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  await using ingest = createIngest(content, { codec: chooseCodec('gzip'), concurrency: 2 });
  await expect(ingest.layer(endless(), hint)).rejects.toThrow('no space');
});

test('the same layer twice in one run is stored once', async () => {
  const content = new MemoryContent();
  const seen: IngestedLayer[] = [];
  const { layer: ingest } = createIngest(content, {
    codec: chooseCodec('gzip'),
    onLayer: (layer) => seen.push(layer),
  });
  await ingest(chunked(sample(1000), 100), hint);
  await ingest(chunked(sample(1000), 999), hint);
  expect(seen.map(({ status }) => status)).toEqual(['written', 'reused']);
});

test.each([
  ['a truncated gzip layer', gzipSync(sample(100_000)).subarray(0, 5000), 'TRUNCATED'],
  [
    'a gzip layer with trailing bytes',
    Buffer.concat([gzipSync(sample(1000)), Buffer.alloc(10)]),
    'MALFORMED',
  ],
  ['an xz layer', Buffer.from('fd377a585a0000000000', 'hex'), 'UNSUPPORTED'],
])('%s is refused and leaves nothing behind', async (_, bytes, code) => {
  const content = new MemoryContent();
  const { layer: ingest } = createIngest(content, { codec: chooseCodec('gzip') });
  await expect(ingest(chunked(bytes, 777), hint)).rejects.toMatchObject({ code });
  expect(await content.has({ mediaType: 'x', digest: digestOf(bytes), size: bytes.length })).toBe(false);
});

test('an aborted ingest rejects with the reason of the signal', async () => {
  const controller = new AbortController();
  const reason = new Error('enough');
  async function* endless(): AsyncGenerator<Uint8Array> {
    for (let i = 0; ; i++) {
      if (i === 5) controller.abort(reason);
      yield Buffer.alloc(1000, 65);
    }
  }
  const { layer: ingest } = createIngest(new MemoryContent(), {
    codec: chooseCodec('gzip'),
    signal: controller.signal,
  });
  await expect(ingest(endless(), hint)).rejects.toBe(reason);
});

test('auto is zstd where the runtime has it built in, else gzip', () => {
  expect(chooseCodec().compression).toBe(nativeZstd() === undefined ? 'gzip' : 'zstd');
});

// From 22.15 on it has.
test.each(nativeZstd() === undefined ? [process.version] : [])(
  'asking for zstd where Node has none, as in %s, names the one that has it',
  () => {
    expect(() => chooseCodec('zstd')).toThrow(
      expect.objectContaining({ hint: expect.stringContaining('22.15') }),
    );
  },
);

test.each([0, 10, 1.5, Number.NaN])('gzip level %d is refused', (level) => {
  expect(() => chooseCodec('gzip', level)).toThrow(expect.objectContaining({ code: 'USAGE' }));
});

test('a stronger level is used', async () => {
  const bytes = sample(1_000_000);
  const size = async (level: number) => {
    const content = new MemoryContent();
    return (
      await createIngest(content, { codec: chooseCodec('gzip', level) }).layer(chunked(bytes, 9999), hint)
    ).size;
  };
  expect(await size(9)).not.toBe(await size(1));
});

test('gzip blobs are read by plain gunzip', async () => {
  const bytes = sample(2_500_000);
  expect(gunzipSync((await ingested(bytes, 'gzip')).stored).equals(bytes)).toBe(true);
});

test.each([1, 4])(
  'an uncompressed layer that is only hashed is not written, with %i threads',
  async (concurrency) => {
    const bytes = sample(9_000_000);
    const options = { codec: chooseCodec('none'), hashesOnly: true, concurrency };
    await using hashing = createIngest({ begin: () => expect.fail('nothing is stored') }, options);
    const digest = digestOf(bytes);
    expect(await hashing.layer(chunked(bytes, 65_536), hint)).toEqual({
      digest,
      diffId: digest,
      size: bytes.length,
      uncompressedSize: bytes.length,
      mediaType: OCI_LAYER,
      status: 'written',
      received: { digest, size: bytes.length },
    });
  },
);
