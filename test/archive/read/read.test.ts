import { PassThrough, Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { readArchive } from '../../../src/archive/read/read.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST } from '../../../src/oci/media-types.ts';
import { MemoryContent } from '../../support/archives/memory-content.ts';
import {
  blob,
  describe as descriptor,
  hex,
  imageConfig,
  json,
  layerTar,
} from '../../support/archives/images.ts';
import { plainIngest } from '../../support/archives/plain-ingest.ts';
import { APP, BASE, CONFIG, PRODUCED } from '../../support/archives/producers.ts';
import { inChunks, readBytes } from '../../support/archives/read-bytes.ts';
import { BLOCK, blocks, frameHeader } from '../../stream/zstd-bytes.ts';
import { END, entry, hardlink, header, pax, symlink, tar } from '../../support/archives/tar-bytes.ts';

const LISTED = json([{ Config: 'c.json', RepoTags: ['temp'], Layers: ['base', 'app'] }]);
const PARTS = {
  manifest: entry('manifest.json', LISTED),
  config: entry('c.json', CONFIG),
  base: entry('base', BASE),
  app: entry('app', APP),
};
const small = tar(...Object.values(PARTS));
const without = (part: keyof typeof PARTS, ...more: Buffer[]): Buffer =>
  tar(...Object.entries(PARTS).flatMap(([key, bytes]) => (key === part ? [] : [bytes])), ...more);

const index = (...manifests: unknown[]): Buffer => entry('index.json', json({ schemaVersion: 2, manifests }));
const options = (): { content: MemoryContent; ingest: ReturnType<typeof plainIngest> } => {
  const content = new MemoryContent();
  return { content, ingest: plainIngest(content) };
};

describe('damage', () => {
  test('cut anywhere: an error that says so', async () => {
    for (
      let length = 0;
      length < small.length - END.length;
      length += length % 512 === 0 ? 211 : 512 - (length % 512)
    ) {
      const reading = readBytes(small.subarray(0, length), { chunk: 1000 });
      await expect(reading, `cut at ${length}`).rejects.toMatchObject({ code: 'TRUNCATED' });
    }
  });

  test('cut anywhere, compressed as a whole', async () => {
    const compressed = gzipSync(small);
    for (let length = 0; length < compressed.length; length += 7) {
      await expect(readBytes(compressed.subarray(0, length)), `cut at ${length}`).rejects.toMatchObject({
        name: 'DrayageError',
      });
    }
  });

  test.each<[string, Buffer, string, object]>([
    ['a missing config', without('config'), 'INCOMPLETE', { entry: 'c.json' }],
    ['a missing layer', without('app'), 'INCOMPLETE', { entry: 'app' }],
    ['another layer', without('app', entry('app', BASE)), 'DIGEST_MISMATCH', { entry: 'app' }],
    [
      'a layer that is no layer',
      without('app', entry('app', 'x'.repeat(600))),
      'DIGEST_MISMATCH',
      { entry: 'app' },
    ],
    ['a config that is a layer', without('config', entry('c.json', BASE)), 'MALFORMED', { entry: 'c.json' }],
    ['a config that is no JSON', without('config', entry('c.json', 'x')), 'MALFORMED', {}],
    [
      'fewer layers than diff_ids',
      without('manifest', entry('manifest.json', json([{ Config: 'c.json', Layers: ['base'] }]))),
      'MALFORMED',
      { expected: 2, actual: 1 },
    ],
    [
      'an entry twice, with other content',
      tar(...Object.values(PARTS), entry('app', BASE)),
      'MALFORMED',
      { entry: 'app' },
    ],
    [
      'an entry twice, with ./ and other content',
      tar(...Object.values(PARTS), entry('./app', BASE)),
      'MALFORMED',
      { entry: 'app' },
    ],
    [
      'a file and a link of one name',
      tar(...Object.values(PARTS), symlink('app', 'base')),
      'MALFORMED',
      { entry: 'app' },
    ],
    [
      'a link twice, to different targets',
      tar(...Object.values(PARTS), symlink('l', 'base'), symlink('l', 'app')),
      'MALFORMED',
      { entry: 'l' },
    ],
    [
      'a file and a folder of one name',
      tar(...Object.values(PARTS), header({ name: 'app/', type: '5' })),
      'MALFORMED',
      { entry: 'app' },
    ],
    [
      'a name with ../',
      tar(...Object.values(PARTS), entry('a/../../b')),
      'MALFORMED',
      { entry: 'a/../../b' },
    ],
    [
      'an absolute name',
      tar(...Object.values(PARTS), entry('/etc/passwd')),
      'MALFORMED',
      { entry: '/etc/passwd' },
    ],
    ['an empty name', tar(entry('')), 'MALFORMED', {}],
    ['a link out of the archive', without('app', symlink('app', '../app')), 'MALFORMED', { entry: 'app' }],
    ['an absolute link', without('app', symlink('app', '/app')), 'MALFORMED', { entry: 'app' }],
    ['an absolute hard link', without('app', hardlink('app', '/app')), 'MALFORMED', {}],
    ['a link to nothing', without('app', symlink('app', 'gone')), 'INCOMPLETE', { entry: 'gone' }],
    [
      'links in a circle',
      without('app', symlink('app', 'b'), symlink('b', 'app')),
      'MALFORMED',
      { entry: 'app' },
    ],
    [
      'keys that differ in case',
      without('manifest', entry('manifest.json', '[{"Config":"c.json","config":"d"}]')),
      'MALFORMED',
      {},
    ],
    [
      'a manifest.json that lists nothing',
      without('manifest', entry('manifest.json', '[]')),
      'MALFORMED',
      {},
    ],
    ['a manifest.json of null', without('manifest', entry('manifest.json', 'null')), 'MALFORMED', {}],
    ['no manifest.json', without('manifest'), 'MALFORMED', {}],
    ['no entries', tar(), 'MALFORMED', {}],
    ['no bytes', Buffer.alloc(0), 'TRUNCATED', {}],
    [
      'the form of docker before 1.10',
      tar(entry('repositories', '{}'), entry('aa/json', '{}')),
      'UNSUPPORTED',
      {},
    ],
    ['xz', Buffer.from('fd377a585a0000000000', 'hex'), 'UNSUPPORTED', { actual: 'xz' }],
  ])('%s', async (_title, bytes, code, facts) => {
    await expect(readBytes(bytes)).rejects.toMatchObject({ code, facts });
  });

  test.each([
    [
      'layer',
      (bytes: Buffer) =>
        tar(
          entry('manifest.json', json([{ Config: 'c', Layers: [`blobs/sha256/${hex(bytes)}`] }])),
          entry('c', imageConfig([APP])),
          entry(`blobs/sha256/${hex(bytes)}`, APP),
        ),
    ],
    [
      'config',
      (bytes: Buffer) =>
        tar(
          entry('manifest.json', json([{ Config: `blobs/sha256/${hex(bytes)}` }])),
          entry(`blobs/sha256/${hex(bytes)}`, imageConfig([])),
        ),
    ],
  ])('a %s that is not what its name promises', async (_kind, archive) => {
    const promised = Buffer.from('promised');
    const facts = { expected: digestOf(promised), entry: `blobs/sha256/${hex(promised)}` };
    await expect(readBytes(archive(promised))).rejects.toMatchObject({ code: 'DIGEST_MISMATCH', facts });
  });

  test('links may follow one another, and lead through folders', async () => {
    const links = [
      symlink('app', './x/y/one'),
      symlink('x/y/one', '../two'),
      hardlink('x/two', './x/three'),
      entry('x/three', APP),
    ];
    expect((await readBytes(without('app', ...links))).images).toEqual((await readBytes(small)).images);
  });
});

describe('an OCI layout', () => {
  const layout = entry('oci-layout', '{"imageLayoutVersion":"1.0.0"}');
  const layer = gzipSync(APP);
  const config = imageConfig([APP]);
  const manifest = json({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: descriptor(config, OCI_CONFIG),
    layers: [descriptor(layer, `${OCI_LAYER}+gzip`)],
  });
  const listed = index(descriptor(manifest, OCI_MANIFEST));
  const blobs = [blob(layer), blob(config), blob(manifest)];

  test('is read with its manifest as it is', async () => {
    const { images } = await readBytes(tar(layout, listed, ...blobs));
    expect(images).toMatchObject([{ names: [], root: descriptor(manifest, OCI_MANIFEST), referrers: [] }]);
  });

  test.each([
    [{ 'io.containerd.image.name': 'docker.io/library/temp:1' }, ['temp:1']],
    [{ 'org.opencontainers.image.ref.name': 'ghcr.io/a/b' }, ['ghcr.io/a/b:latest']],
    [{ 'org.opencontainers.image.ref.name': 'temp:1' }, ['temp:1']],
    [{ 'org.opencontainers.image.ref.name': '1.0' }, []],
    [{ 'org.opencontainers.image.ref.name': 'Not: a reference' }, []],
  ])('%j names it %j', async (annotations, names) => {
    const { images } = await readBytes(
      tar(layout, index(descriptor(manifest, OCI_MANIFEST, { annotations })), ...blobs),
    );
    expect(images[0]?.names).toEqual(names);
  });

  test.each<[string, Buffer, string]>([
    ['without oci-layout', tar(listed, ...blobs), 'INCOMPLETE'],
    [
      'of another version',
      tar(entry('oci-layout', '{"imageLayoutVersion":"2.0.0"}'), listed, ...blobs),
      'MALFORMED',
    ],
    ['without its manifest', tar(layout, listed, blob(layer), blob(config)), 'INCOMPLETE'],
    ['without a layer', tar(layout, listed, blob(manifest), blob(config)), 'INCOMPLETE'],
    ['without its config', tar(layout, listed, blob(manifest), blob(layer)), 'INCOMPLETE'],
    ['that lists nothing', tar(layout, index()), 'MALFORMED'],
    [
      'that lists null',
      tar(layout, entry('index.json', '{"schemaVersion":2,"manifests":null}')),
      'MALFORMED',
    ],
    [
      'with a damaged manifest',
      tar(
        layout,
        listed,
        blob(layer),
        blob(config),
        entry(`blobs/sha256/${hex(manifest)}`, `${String(manifest)} `),
      ),
      'DIGEST_MISMATCH',
    ],
    [
      'with a wrong size',
      tar(layout, index({ ...descriptor(manifest, OCI_MANIFEST), size: 1 }), ...blobs),
      'SIZE_MISMATCH',
    ],
  ])('%s is refused', async (_title, archive, code) => {
    await expect(readBytes(archive)).rejects.toMatchObject({ code });
  });

  const payload = Buffer.from('not JSON: a signature');
  const empty = Buffer.from('{}');
  const signatureOf = (subject: Buffer): Buffer =>
    json({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      artifactType: 'application/vnd.example.signature',
      config: descriptor(empty, 'application/vnd.oci.empty.v1+json'),
      layers: [descriptor(payload, 'application/vnd.example.signature')],
      subject: descriptor(subject, OCI_MANIFEST),
    });

  test('brings what refers to any platform of an index along, and what refers to that', async () => {
    const child = { ...descriptor(manifest, OCI_MANIFEST), platform: { architecture: 'amd64', os: 'linux' } };
    const platforms = json({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [child] });
    const signature = signatureOf(manifest);
    const countersignature = signatureOf(signature);
    const attached = [signature, countersignature].map((bytes) => descriptor(bytes, OCI_MANIFEST));
    const entries = index(descriptor(platforms, OCI_INDEX), ...attached);
    const documents = [platforms, payload, empty, signature, countersignature];
    const { images } = await readBytes(
      tar(layout, entries, ...blobs, ...documents.map((bytes) => blob(bytes))),
    );
    expect(images).toMatchObject([{ root: descriptor(platforms, OCI_INDEX), referrers: attached }]);
  });

  test('brings what refers to the image along', async () => {
    const signature = signatureOf(manifest);
    const both = index(descriptor(manifest, OCI_MANIFEST), descriptor(signature, OCI_MANIFEST));
    const { images, content } = await readBytes(
      tar(layout, both, ...blobs, blob(payload), blob(empty), blob(signature)),
    );
    expect(images).toMatchObject([
      { root: descriptor(manifest, OCI_MANIFEST), referrers: [descriptor(signature, OCI_MANIFEST)] },
    ]);
    for (const bytes of [payload, empty, signature])
      expect(content.blobs.get(digestOf(bytes))).toEqual(bytes);
  });

  test('may hold large content that is neither document nor layer', async () => {
    const model = Buffer.alloc(5_000_000, 'model');
    const other = json({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: descriptor(config, OCI_CONFIG),
      layers: [descriptor(model, 'application/x-model')],
      subject: descriptor(manifest, OCI_MANIFEST),
    });
    const both = index(descriptor(manifest, OCI_MANIFEST), descriptor(other, OCI_MANIFEST));
    const { content } = await readBytes(tar(layout, both, ...blobs, blob(model), blob(other)));
    expect(content.blobs.get(digestOf(model))?.equals(model)).toBe(true);
  });

  test('nested too deeply is refused', async () => {
    const documents = [manifest];
    let [top, type]: [Buffer, string] = [manifest, OCI_MANIFEST];
    for (let i = 0; i < 6; i++) {
      top = json({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [descriptor(top, type)] });
      type = OCI_INDEX;
      documents.push(top);
    }
    const archive = tar(
      layout,
      index(descriptor(top, type)),
      ...documents.map(blob),
      blob(layer),
      blob(config),
    );
    await expect(readBytes(archive)).rejects.toMatchObject({ code: 'LIMIT' });
  });
});

describe('a hybrid archive', () => {
  const config = imageConfig([APP]);
  const manifest = json({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: descriptor(config, OCI_CONFIG),
    layers: [descriptor(APP, OCI_LAYER)],
  });
  const listed = entry(
    'manifest.json',
    json([
      { Config: `blobs/sha256/${hex(config)}`, RepoTags: ['temp:1'], Layers: [`blobs/sha256/${hex(APP)}`] },
    ]),
  );
  const statement = json({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: descriptor(Buffer.from('{}'), OCI_CONFIG),
    layers: [],
  });
  const attestation = descriptor(statement, OCI_MANIFEST, {
    platform: { os: 'unknown', architecture: 'unknown' },
    annotations: {
      'vnd.docker.reference.type': 'attestation-manifest',
      'vnd.docker.reference.digest': digestOf(manifest),
    },
  });
  const imageIndex = json({
    schemaVersion: 2,
    mediaType: OCI_INDEX,
    manifests: [descriptor(manifest, OCI_MANIFEST), attestation],
  });
  const parts = [listed, blob(config), blob(APP)];

  test('over plain layers gets a manifest of its own', async () => {
    const { images } = await readBytes(
      tar(...parts, index(descriptor(manifest, OCI_MANIFEST)), blob(manifest)),
    );
    expect(images[0]?.root.digest).not.toBe(digestOf(manifest));
    expect(images[0]?.layers[0]?.mediaType).toBe(`${OCI_LAYER}+gzip`);
  });

  test('that something attests to is kept, and its layers put back as they came', async () => {
    const attested = [index(descriptor(imageIndex, OCI_INDEX)), blob(manifest), blob(imageIndex)];
    const { images, content } = await readBytes(
      tar(...parts, ...attested, blob(statement), blob(Buffer.from('{}'))),
    );
    expect(images).toMatchObject([{ names: ['temp:1'], root: { digest: digestOf(imageIndex) } }]);
    expect(images[0]?.layers[0]).toMatchObject(descriptor(APP, OCI_LAYER));
    for (const bytes of [APP, manifest, imageIndex, statement])
      expect(content.blobs.get(digestOf(bytes))).toEqual(bytes);
  });

  test('whose attestation did not come is read as if there were none', async () => {
    const attested = [
      index(descriptor(imageIndex, OCI_INDEX)),
      blob(manifest),
      blob(imageIndex),
      blob(statement),
    ];
    const { images, content } = await readBytes(tar(...parts, ...attested));
    const bare = await readBytes(tar(...parts, index(descriptor(manifest, OCI_MANIFEST)), blob(manifest)));
    expect(images.map(({ root }) => root)).toEqual(bare.images.map(({ root }) => root));
    expect(content.blobs.has(digestOf(statement))).toBe(false);
  });

  test('that lists an artifact, too, gets a line that says so', async () => {
    const mediaType = 'application/vnd.cncf.helm.config.v1+json';
    const settings = Buffer.from('{}');
    const chart = json({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: descriptor(settings, mediaType),
      layers: [],
    });
    const named = { 'org.opencontainers.image.ref.name': 'chart:1' };
    const both = index({ ...descriptor(chart, OCI_MANIFEST), annotations: named });
    const notes: unknown[] = [];
    const bytes = tar(...parts, both, blob(chart), blob(settings));
    const { images } = await readBytes(bytes, { onProgress: notes.push.bind(notes) });
    expect(images).toMatchObject([{ names: ['temp:1'] }]);
    expect(notes).toEqual([
      { kind: 'note', message: `chart:1 is skipped: it is not an image but ${mediaType}` },
    ]);
  });

  test.each([
    ['no JSON', [entry('index.json', 'x')]],
    [
      'of a manifest that is damaged',
      [index(descriptor(manifest, OCI_MANIFEST)), entry(`blobs/sha256/${hex(manifest)}`, '{}')],
    ],
    ['of a manifest that is missing', [index(descriptor(manifest, OCI_MANIFEST))]],
    ['of another image', [index(attestation), blob(statement)]],
  ])('with an index.json that is %s is read by its manifest.json', async (_title, entries) => {
    const { images } = await readBytes(tar(...parts, ...entries));
    expect(images).toMatchObject([{ names: ['temp:1'], id: digestOf(config) }]);
  });
});

/** A manifest over one layer. */
function manifestOf(config: Buffer, layer: Buffer): Buffer {
  return json({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: descriptor(config, OCI_CONFIG),
    layers: [descriptor(layer, OCI_LAYER)],
  });
}

/** The annotations that name an entry of index.json. */
function refName(name: string, key = 'org.opencontainers.image.ref.name'): Record<string, unknown> {
  return { annotations: { [key]: name } };
}

describe('a name that is one image in manifest.json and another in index.json', () => {
  const [config, other] = [imageConfig([APP]), imageConfig([BASE])];
  const listed = (...names: string[]): Buffer =>
    entry(
      'manifest.json',
      json([
        { Config: `blobs/sha256/${hex(config)}`, RepoTags: names, Layers: [`blobs/sha256/${hex(APP)}`] },
      ]),
    );
  const [ours, theirs] = [manifestOf(config, APP), manifestOf(other, BASE)];
  const all = [config, APP, other, BASE, ours, theirs].map(blob);
  const index2 = json({
    schemaVersion: 2,
    mediaType: OCI_INDEX,
    manifests: [descriptor(theirs, OCI_MANIFEST)],
  });

  test.each<[string, string[], object[], Buffer[]]>([
    ['by its reference', ['temp:1'], [descriptor(theirs, OCI_MANIFEST, refName('temp:1'))], []],
    [
      'by the name of containerd',
      ['temp:1'],
      [descriptor(theirs, OCI_MANIFEST, refName('docker.io/library/temp:1', 'io.containerd.image.name'))],
      [],
    ],
    [
      'as one of several',
      ['more:1', 'temp:1'],
      [
        descriptor(ours, OCI_MANIFEST, refName('more:1')),
        descriptor(theirs, OCI_MANIFEST, refName('temp:1')),
      ],
      [],
    ],
    ['below an index', ['temp:1'], [descriptor(index2, OCI_INDEX, refName('temp:1'))], [blob(index2)]],
  ])('is refused: %s', async (_, names, entries, more) => {
    const bytes = tar(listed(...names), ...all, index(...entries), ...more);
    await expect(readBytes(bytes)).rejects.toMatchObject({
      code: 'MALFORMED',
      message: expect.stringContaining('temp:1 is one image in manifest.json and another in index.json'),
    });
  });

  test.each([
    ['has a key twice', '{"schemaVersion":2,"manifests":[],"manifests":[]}', 'twice in one object'],
    ['has a key in two spellings', '{"schemaVersion":2,"manifests":[],"Manifests":[]}', 'other spelling'],
    ['has other fields', '{"schemaVersion":2,"manifests":7}', 'manifests: '],
  ])('is not looked for in an index.json that %s: the archive is refused', async (_, text, message) => {
    await expect(readBytes(tar(listed('temp:1'), ...all, entry('index.json', text)))).rejects.toMatchObject({
      code: 'MALFORMED',
      message: expect.stringContaining(message),
    });
  });

  test.each<[string, object[]]>([
    [
      'one of its images is the same',
      [
        descriptor(theirs, OCI_MANIFEST, refName('temp:1')),
        descriptor(ours, OCI_MANIFEST, refName('temp:1')),
      ],
    ],
    ['the other has another name', [descriptor(theirs, OCI_MANIFEST, refName('other:1'))]],
    ['the other is not whole', [descriptor(Buffer.from('absent'), OCI_MANIFEST, refName('temp:1'))]],
  ])('is none where %s', async (_, entries) => {
    const { images } = await readBytes(tar(listed('temp:1'), ...all, index(...entries)));
    expect(images.find(({ names }) => names.includes('temp:1'))).toMatchObject({ id: digestOf(config) });
  });
});

test.each(['A B', `temp:1@${digestOf(CONFIG)}`])('%s cannot be a name: a line says so', async (text) => {
  const listed = json([{ Config: 'c.json', RepoTags: [text, 'temp:2'], Layers: ['base', 'app'] }]);
  const notes: unknown[] = [];
  const bytes = without('manifest', entry('manifest.json', listed));
  const { images } = await readBytes(bytes, { onProgress: notes.push.bind(notes) });
  expect(images.map(({ names }) => names)).toEqual([['temp:2']]);
  const message = `manifest.json: ${JSON.stringify(text)} is skipped: it cannot be a name`;
  expect(notes).toEqual([{ kind: 'note', message }]);
});

describe('ending early', () => {
  test.each([0, 600, 3000, small.length])(
    'an abort after %i bytes rejects with its reason, and destroys the source',
    async (count) => {
      const source = new PassThrough();
      source.write(small.subarray(0, count));
      const controller = new AbortController();
      const reading = readArchive(source, { ...options(), signal: controller.signal });
      setTimeout(() => controller.abort(new Error('enough')), 20);
      await expect(reading).rejects.toThrow('enough');
      expect(source.destroyed).toBe(true);
    },
  );

  test('a signal that has fired', async () => {
    const source = Readable.from(inChunks(small, 100));
    const reading = readArchive(source, { ...options(), signal: AbortSignal.abort(new Error('enough')) });
    await expect(reading).rejects.toThrow('enough');
    expect(source.destroyed).toBe(true);
  });

  test.each([0, 600, 3000, small.length])(
    "the source's own error after %i bytes comes through",
    async (count) => {
      const broken = new Error('socket hang up');
      const source = (async function* () {
        yield* inChunks(small.subarray(0, count), 300);
        throw broken;
      })();
      await expect(readArchive(source, options())).rejects.toBe(broken);
    },
  );

  test('an error of ingest comes through, and the source is destroyed', async () => {
    const source = Readable.from(inChunks(small, 100));
    const full = new Error('disk full');
    await expect(readArchive(source, { ...options(), ingest: () => Promise.reject(full) })).rejects.toBe(
      full,
    );
    expect(source.destroyed).toBe(true);
  });

  test('an error of ingest after its last byte comes through', async () => {
    const { content, ingest } = options();
    const full = new Error('disk full');
    const late = readArchive(inChunks(small, 100), {
      content,
      ingest: async (bytes, hint) => {
        await ingest(bytes, hint);
        throw full;
      },
    });
    await expect(late).rejects.toBe(full);
  });
});

test('no more is read than is taken in', async () => {
  let read = 0;
  let most = 0;
  const big = layerTar('x'.repeat(20_000));
  const archive = tar(entry('a', big), PARTS.config);
  const source = (async function* () {
    for await (const chunk of inChunks(archive, 1000)) {
      read += chunk.length;
      yield chunk;
    }
  })();
  let taken = 0;
  const reading = readArchive(source, {
    content: new MemoryContent(),
    ingest: async (bytes) => {
      for await (const chunk of bytes) {
        taken += chunk.length;
        most = Math.max(most, read - taken);
        await new Promise((resolve) => setImmediate(resolve));
      }
      throw new Error('seen enough');
    },
  });
  await expect(reading).rejects.toThrow('seen enough');
  expect(taken).toBe(big.length);
  expect(most).toBeLessThan(4000);
});

test('the same archive in chunks of one byte gives the same', async () => {
  for (const { archive } of PRODUCED) {
    expect((await readBytes(archive, { chunk: 1 })).images).toEqual((await readBytes(archive)).images);
  }
});

const nameOf = (bytes: Buffer): string => `blobs/sha256/${digestOf(bytes).slice(7)}`;

test('an image without a name keeps the word of another tool, also beside a manifest.json', async () => {
  const gzipped = gzipSync(APP);
  const config = imageConfig([APP]);
  const manifest = json({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: descriptor(config, OCI_CONFIG),
    layers: [descriptor(gzipped, `${OCI_LAYER}+gzip`)],
  });
  const annotations = { 'org.opencontainers.image.ref.name': 'v1', 'example.note': 'kept' };
  const layout = [
    entry('oci-layout', '{"imageLayoutVersion":"1.0.0"}'),
    index(descriptor(manifest, OCI_MANIFEST, { annotations })),
    ...[manifest, config, gzipped].map(blob),
  ];
  const docker = json([{ Config: nameOf(config), RepoTags: null, Layers: [nameOf(gzipped)] }]);
  const both = await readBytes(tar(...layout, entry('manifest.json', docker)));
  expect(both.images).toMatchObject([{ names: [], annotations }]);
  expect(both.images).toEqual((await readBytes(tar(...layout))).images);
});

describe('an entry that comes again with the same content is read once', () => {
  const link = symlink('l', 'app');
  test.each<[string, Buffer[]]>([
    ['a layer', [PARTS.app]],
    ['a layer, with ./', [entry('./app', APP)]],
    ['a config', [PARTS.config]],
    ['manifest.json', [PARTS.manifest]],
    ['a link', [link, link]],
    ['all of them', Object.values(PARTS)],
  ])('%s', async (_title, again) => {
    const { images } = await readBytes(tar(...Object.values(PARTS), ...again), { chunk: 700 });
    expect(images).toEqual((await readBytes(small)).images);
  });
});

describe('an archive without its end', () => {
  const manifest = json({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: descriptor(CONFIG, OCI_CONFIG),
    layers: [BASE, APP].map((layer) => descriptor(layer, OCI_LAYER)),
  });
  const oci = [
    entry('oci-layout', '{"imageLayoutVersion":"1.0.0"}'),
    index(descriptor(manifest, OCI_MANIFEST)),
    ...[manifest, CONFIG, BASE, APP].map(blob),
  ];

  test.each<[string, Buffer[], Buffer]>([
    ['of docker save', Object.values(PARTS), Buffer.alloc(0)],
    ['of docker save, with part of its end', Object.values(PARTS), Buffer.alloc(700)],
    ['that is an OCI layout', oci, Buffer.alloc(0)],
  ])('is read, if all has arrived that it names: %s', async (_title, parts, end) => {
    const { images } = await readBytes(Buffer.concat([...parts, end]));
    expect(images).toEqual((await readBytes(tar(...parts))).images);
  });

  const absent = { ...descriptor(Buffer.from('absent'), OCI_MANIFEST) };
  const top = json({
    schemaVersion: 2,
    mediaType: OCI_INDEX,
    manifests: [descriptor(manifest, OCI_MANIFEST), absent],
  });
  test.each<[string, Buffer[]]>([
    ['the last layer', oci.slice(0, -1)],
    ['index.json', [...oci.slice(0, 1), ...oci.slice(2)]],
    ['oci-layout', oci.slice(1)],
    ['manifest.json', [PARTS.config, PARTS.base, PARTS.app]],
    [
      'a child of its index',
      [...oci.slice(0, 1), index(descriptor(top, OCI_INDEX)), blob(top), ...oci.slice(2)],
    ],
  ])('was cut off, if it lacks %s', async (_title, parts) => {
    await expect(readBytes(Buffer.concat(parts))).rejects.toMatchObject({ code: 'TRUNCATED' });
  });
});

const named512 = (bytes: Buffer, mediaType: string): object => ({
  ...descriptor(bytes, mediaType),
  digest: digestOf(bytes, 'sha512'),
});
const blob512 = (bytes: Buffer, digest = digestOf(bytes, 'sha512')): Buffer =>
  Buffer.concat([pax({ path: `blobs/sha512/${digest.slice(7)}` }), entry('x', bytes)]);

/** One frame of zstd with a window of this size. */
function windowed(bytes: Buffer, windowLog: number): Buffer {
  const parts = Array.from({ length: Math.ceil(bytes.length / BLOCK) }, (_, i) =>
    bytes.subarray(i * BLOCK, (i + 1) * BLOCK),
  );
  return Buffer.concat([frameHeader({ windowLog }), blocks(...parts)]);
}

describe('layers in zstd within an archive in zstd', () => {
  const layer = tar(entry('file', Buffer.alloc(400_000, 'x')));
  const parts = (windowLog: number): Buffer =>
    tar(
      entry('manifest.json', json([{ Config: 'c.json', RepoTags: ['app'], Layers: ['layer'] }])),
      entry('c.json', imageConfig([layer])),
      entry('layer', windowed(layer, windowLog)),
      // The archive is still being decompressed when the layer is.
      entry('more', Buffer.alloc(4_000_000)),
    );

  test.each([
    [27, 23],
    [26, 26],
    [23, 27],
    [27, 17],
    [27, 27],
    [27, 24],
    [26, 27],
  ])('are read, with windows of 2^%d bytes of 2^%d', async (outer, inner) => {
    const { images } = await readBytes(windowed(parts(inner), outer));
    expect(images).toHaveLength(1);
  });

  test('are refused if a later part of the archive needs a large window, and its start does not', async () => {
    const [start, rest] = [parts(27).subarray(0, 1024), parts(27).subarray(1024)];
    const reading = readBytes(Buffer.concat([windowed(start, 20), windowed(rest, 27)]));
    await expect(reading).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      hint: expect.stringContaining('zstd -d') as string,
    });
  });
});

describe('an archive with sha512 blobs', () => {
  const first = gzipSync(BASE);
  const second = gzipSync(APP);
  const zipped = [first, second];
  const manifest = json({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: named512(CONFIG, OCI_CONFIG),
    layers: zipped.map((layer) => named512(layer, `${OCI_LAYER}+gzip`)),
  });
  const parts = [
    entry('oci-layout', '{"imageLayoutVersion":"1.0.0"}'),
    index(named512(manifest, OCI_MANIFEST)),
    blob512(manifest),
  ];
  const docker = json([
    {
      Config: `blobs/sha512/${digestOf(CONFIG, 'sha512').slice(7)}`,
      Layers: zipped.map((layer) => `blobs/sha512/${digestOf(layer, 'sha512').slice(7)}`),
    },
  ]);

  test.each<[string, Buffer[]]>([
    ['as an OCI layout', []],
    ['with a manifest.json', [entry('manifest.json', docker)]],
  ])('is read byte for byte, under its digests: %s', async (_title, more) => {
    const archive = tar(...parts, blob512(CONFIG), ...zipped.map((layer) => blob512(layer)), ...more);
    const { images, content } = await readBytes(archive);
    expect(images).toMatchObject([{ root: { digest: digestOf(manifest, 'sha512') }, isWritten: false }]);
    for (const bytes of [manifest, CONFIG, ...zipped])
      expect(content.blobs.get(digestOf(bytes, 'sha512'))).toEqual(bytes);
  });

  test.each<[string, Buffer, Buffer[]]>([
    ['a layer', first, [blob512(CONFIG), blob512(second, digestOf(first, 'sha512')), blob512(second)]],
    [
      'a config',
      CONFIG,
      [
        blob512(imageConfig([BASE, APP], { comment: 'x' }), digestOf(CONFIG, 'sha512')),
        blob512(first),
        blob512(second),
      ],
    ],
  ])('is refused, if %s is another one', async (_title, bytes, blobs) => {
    const expected = digestOf(bytes, 'sha512');
    await expect(readBytes(tar(...parts, ...blobs))).rejects.toMatchObject({
      code: 'DIGEST_MISMATCH',
      facts: { expected },
    });
  });
});

test('a config that names its layers by sha512 is not told as damage', async () => {
  const rootfs = { type: 'layers', diff_ids: [BASE, APP].map((layer) => digestOf(layer, 'sha512')) };
  const bytes = without('config', entry('c.json', imageConfig([BASE, APP], { rootfs })));
  await expect(readBytes(bytes)).rejects.toMatchObject({
    code: 'UNSUPPORTED',
    message: expect.stringContaining('layer "base" is named by sha512 in its config') as string,
    hint: expect.stringContaining('tar -C DIR -xf FILE') as string,
  });
});

test('an archive of another version is an error that names the entry', async () => {
  const bytes = tar(entry('oci-layout', '{"imageLayoutVersion":"2.0.0"}'), index());
  await expect(readBytes(bytes)).rejects.toMatchObject({ facts: { entry: 'oci-layout', actual: '2.0.0' } });
});

describe('beside an image that cannot be used', () => {
  const listed = json([
    { Config: 'c.json', RepoTags: ['temp'], Layers: ['base', 'app'] },
    { Config: 'c.json', RepoTags: ['damaged'], Layers: ['base', 'absent'] },
  ]);
  const read = async (name: string): Promise<unknown> =>
    (
      await readArchive(inChunks(without('manifest', entry('manifest.json', listed)), 1000), options())
    ).place.resolve(name);

  test.each(['other', 'other:1', 'registry.example/other'])('the name %s is not found', async (name) => {
    await expect(read(name)).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining(name),
    });
  });

  test.each([
    ['its name', 'damaged'],
    ['an ID', `sha256:${'0'.repeat(64)}`],
    ['first digits', '0123456789ab'],
    ['a name with a digest', `other@sha256:${'0'.repeat(64)}`],
    ['a unique tag', 'other:pipeline-1-0123456789ab'],
  ])('%s may be that image: its damage is the error', async (_what, reference) => {
    await expect(read(reference)).rejects.toMatchObject({ code: 'INCOMPLETE' });
  });

  test('the other image is found by name', async () => {
    expect(await read('temp')).toHaveLength(1);
  });
});
