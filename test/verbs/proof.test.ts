import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { describe, expect, test, vi } from 'vitest';
import { provenanceOfBuild } from '../../src/attest/statement.ts';
import { readBuild } from '../../src/ci/gitlab/build.ts';
import type { Voucher } from '../../src/content/policy.ts';
import type { SaveArchiveOptions } from '../../src/content/endpoint.ts';
import type { Layer } from '../../src/image/layer.ts';
import type { OpenBase } from '../../src/image/open-base.ts';
import { Layout } from '../../src/layout/layout.ts';
import { OMITTED_LAYERS } from '../../src/image/annotations.ts';
import { images as imagesOf } from '../../src/image/image.ts';
import { BASE_NAME } from '../../src/oci/annotations.ts';
import type { DrayageError } from '../../src/errors.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { buildIndex } from '../../src/oci/image-index.ts';
import { buildManifest, toDocument } from '../../src/oci/manifest.ts';
import { OCI_INDEX, OCI_MANIFEST } from '../../src/oci/media-types.ts';
import { Registries } from '../../src/registry/registries.ts';
import { once } from '../../src/stream/tap.ts';
import { describeBytes } from '../../src/testing/sample-images.ts';
import { exportArchive } from '../../src/verbs/export.ts';
import { fetchImages } from '../../src/verbs/fetch.ts';
import { load } from '../../src/verbs/load/load.ts';
import { merge } from '../../src/verbs/merge.ts';
import type { PromoteOptions, PromoteResult } from '../../src/verbs/promote/promote.ts';
import { promote } from '../../src/verbs/promote/promote.ts';
import type { SaveOptions, SaveResult } from '../../src/verbs/save/options.ts';
import { save } from '../../src/verbs/save/save.ts';
import type { SignOptions, SignResult } from '../../src/verbs/sign.ts';
import { sign } from '../../src/verbs/sign.ts';
import { verify } from '../../src/verbs/verify/verify.ts';
import type { TestCargo } from '../docker/cargo.ts';
import { makeCargo } from '../docker/cargo.ts';
import { always, PLANTED } from '../registry/registries.ts';
import { sizedFrame, skippable } from '../stream/zstd-bytes.ts';
import { entry, tar } from '../support/archives/tar-bytes.ts';
import { FakeRegistry } from '../support/fake-registry.ts';
import { SIGNING_JOB } from '../support/gitlab-job.ts';
import { MemoryContent } from '../support/memory-content.ts';
import { MemoryEndpoint } from '../support/memory-endpoint.ts';
import { MemoryRegistry } from '../support/memory-registry.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const NAME = 'registry.example/base:1';

let count = 0;

/** An image on a base, of layers that no other test has: what is proven stays proven for the whole process. */
function victim(options: Parameters<typeof makeCargo>[0] = {}): { base: TestCargo; app: TestCargo } {
  const texts = [`base ${count++}`, `middle ${count}`];
  return {
    base: makeCargo({ layers: texts, ...options }),
    app: makeCargo({ layers: [...texts, `app ${count}`], ...options }),
  };
}

/** The descriptor of an image's config. */
function configOf({ source, configDigest }: Pick<TestCargo, 'source' | 'configDigest'>): Descriptor {
  const size = source.blobs.get(configDigest)?.length ?? expect.fail('no config');
  return { mediaType: 'application/vnd.oci.image.config.v1+json', digest: configDigest, size };
}

/** An image with the config of another one, whose layer at `index` is claimed to be a blob that is not. */
function forged({ source, diffIds, ...image }: TestCargo, index: number): TestCargo & { evil: Descriptor } {
  const bytes = gzipSync(tar(entry('file', `foreign bytes ${count++}`)));
  const evil = {
    mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
    digest: digestOf(bytes),
    size: bytes.length,
  };
  const layers = image.layers.map((layer, i) => (i === index ? evil : layer));
  const manifest = buildManifest(configOf({ source, ...image }), layers);
  const content = new MemoryContent([...source.blobs.values(), bytes, manifest.bytes]);
  return { ...image, root: manifest.descriptor, source: content, diffIds, layers, evil };
}

/** An image with the config of another one, whose first layer is claimed to be this blob. */
function forgedLike(cargo: TestCargo, evil: Descriptor): TestCargo {
  const config = cargo.source.blobs.get(cargo.configDigest) ?? expect.fail();
  const manifest = buildManifest(configOf(cargo), [evil, ...cargo.layers.slice(1)]);
  return { ...cargo, root: manifest.descriptor, source: new MemoryContent([config, manifest.bytes]) };
}

/** A layout with the very documents and blobs of an image. */
async function layoutOf(
  { source, root }: TestCargo,
  name: string,
  annotations: Record<string, string> = {},
  without: readonly Descriptor[] = [],
): Promise<Layout> {
  const absent = new Set(without.map(({ digest }) => digest));
  const layout = await Layout.create(`${await temporaryFolder()}/layout`);
  await layout.update(async (content) => {
    for (const [digest, bytes] of source.blobs) {
      const descriptor = { mediaType: 'application/octet-stream', digest, size: bytes.length };
      if (!absent.has(digest)) await content.put(descriptor, once(bytes));
    }
    content.add(root, [name], annotations);
  });
  return layout;
}

/** A daemon that sends plain layers, as docker's own store does. */
async function graphDaemon({ root, source }: TestCargo, name: string): Promise<MemoryEndpoint> {
  const daemon = new MemoryEndpoint();
  await daemon.hold(root, source, [name]);
  return daemon;
}

/** A daemon that sends an OCI layout, without the blobs that are held, as a containerd store does. */
async function containerdDaemon(cargo: TestCargo, name: string): Promise<MemoryEndpoint> {
  const daemon = await graphDaemon(cargo, name);
  daemon.save = async (_: string | readonly string[], options?: SaveArchiveOptions) => {
    const { root, source } = cargo;
    const blobs = [...source.blobs].map(([digest, bytes]) => ({
      mediaType:
        cargo.layers.find((layer) => layer.digest === digest)?.mediaType ?? 'application/octet-stream',
      digest,
      size: bytes.length,
    }));
    const absent =
      (await options?.held?.(blobs.filter(({ digest }) => digest !== root.digest))) ?? new Set<string>();
    const index = { schemaVersion: 2, manifests: [root] };
    const files: [string, Uint8Array][] = [
      ['oci-layout', Buffer.from('{"imageLayoutVersion":"1.0.0"}')],
      ['index.json', Buffer.from(JSON.stringify(index))],
    ];
    for (const [digest, bytes] of source.blobs)
      if (!absent.has(digest)) files.push([`blobs/sha256/${digest.slice(7)}`, bytes]);
    return Readable.from([tar(...files.map(([path, bytes]) => entry(path, Buffer.from(bytes))))]);
  };
  return daemon;
}

async function saveInto(
  to: Layout,
  from: SaveOptions['from'],
  options: Partial<SaveOptions> = {},
): Promise<SaveResult> {
  return save({ images: ['app:1'], compress: 'gzip', ...options, from, to });
}

async function newLayout(): Promise<Layout> {
  return Layout.create(`${await temporaryFolder()}/new`);
}

async function signAll(to: Layout, options: Partial<SignOptions> = {}): Promise<SignResult> {
  return sign({
    layout: to,
    statement: provenanceOfBuild(readBuild(SIGNING_JOB)),
    sign: async (statement) => statement,
    now: new Date(0),
    ...options,
  });
}

async function promoteTo(
  from: Layout,
  host: string,
  options: Partial<PromoteOptions> = {},
): Promise<PromoteResult> {
  await using registries = new Registries(async () => ({
    credentials: always(PLANTED),
    retry: { delay: async () => {} },
  }));
  return promote({ from: [from], promotions: [{ to: [`${host}/app:1`] }], registries, ...options });
}

/** What a layout's image under a name claims. */
async function layersOf(layout: Layout, name: string): Promise<Layer[]> {
  const [image] = await layout.resolve(name);
  const found: Layer[] = [];
  for await (const { layers } of imagesOf(layout, image.root)) found.push(...layers);
  return found;
}

/** That what was saved is the image of the daemon, each blob of it the layer that it stands for. */
async function expectRight(
  layout: Layout,
  { app, evil }: { app: TestCargo; evil: Descriptor },
): Promise<void> {
  const layers = await layersOf(layout, 'app:1');
  expect(layers.map(({ diffId }) => diffId)).toEqual(app.diffIds);
  expect(layers.map(({ blob }) => blob.digest)).not.toContain(evil.digest);
  const whole = await newLayout();
  await save({ from: layout, images: ['app:1'], to: whole });
  expect((await verify({ layout: whole })).problems).toEqual([]);
}

/** Every way on for an image of a layout that omits layers, which another layout holds. */
const WAYS_ON_OMITTED: [string, (thin: Layout, other: Layout, to: Layout) => Promise<unknown>][] = [
  ['merged', (thin, other, to) => merge({ from: [thin, other], images: ['app:1'], to })],
  [
    'completed',
    (thin, other, to) =>
      fetchImages({ from: [thin], others: [other], images: ['app:1'], to, complete: noBase }),
  ],
  ['loaded', (thin, other) => load({ from: [thin, other], images: ['app:1'], to: new MemoryEndpoint() })],
  [
    'written to an archive',
    async (thin, other) => {
      for await (const _ of await exportArchive({ from: [thin, other], images: ['app:1'], format: 'oci' }));
    },
  ],
];

describe('foreign bytes do not come to stand for a layer', () => {
  test.each([
    ['an image of the same config in the folder that is saved into', 2, graphDaemon, false],
    ['the first layer of such an image', 0, graphDaemon, false],
    ['such an image, where the daemon sends blobs as they are', 2, containerdDaemon, true],
    ['the first layer of such an image, where the daemon sends blobs as they are', 0, containerdDaemon, true],
    ['such an image, where the daemon sends plain blobs', 2, containerdDaemon, false],
  ])('out of %s', async (_, index, daemonOf, compress) => {
    const { app } = victim({ compress });
    const planted = forged(app, index);
    const layout = await layoutOf(planted, 'planted:1');
    const { images } = await saveInto(layout, await daemonOf(app, 'app:1'));
    expect(images[0]?.id).toBe(app.configDigest);
    await expectRight(layout, { app, evil: planted.evil });
    expect((await signAll(layout, { images: ['app:1'] })).images).toHaveLength(1);
    await expect(signAll(layout, { images: ['planted:1'] })).rejects.toMatchObject({
      code: 'DIGEST_MISMATCH',
      facts: { digest: app.diffIds[index] },
    });
  });

  test('out of an image that claims another layer for a blob of the daemon', async () => {
    const { app } = victim();
    const other = makeCargo({ layers: [`other ${count++}`] });
    const [first] = app.layers;
    const liar = { ...other, layers: [first ?? expect.fail()] };
    const manifest = buildManifest(configOf(other), liar.layers);
    const source = new MemoryContent([
      ...other.source.blobs.values(),
      ...app.source.blobs.values(),
      manifest.bytes,
    ]);
    const layout = await layoutOf({ ...liar, root: manifest.descriptor, source }, 'liar:1');
    const { images } = await saveInto(layout, await containerdDaemon(app, 'app:1'));
    expect(images[0]?.digest).toBe(app.root.digest);
    await expectRight(layout, { app, evil: other.layers[0] ?? expect.fail() });
  });

  test.each([
    ['in the form of docker', graphDaemon],
    ['as blobs', containerdDaemon],
  ])('out of a base layout, where the daemon sends the image %s', async (_, daemonOf) => {
    const { base, app } = victim();
    const hostile = forged(base, 0);
    const baseLayout = await layoutOf(hostile, 'whatever:1');
    const layout = await newLayout();
    const { images } = await saveInto(layout, await daemonOf(app, 'app:1'), { baseLayouts: [baseLayout] });
    expect(images[0]?.layers.map(({ status }) => status)).toEqual(['written', 'written', 'written']);
    await expectRight(layout, { app, evil: hostile.evil });
    expect(await verify({ layout })).toMatchObject({ problems: [], omitted: { layers: 0 } });
  });

  test('where a base has it that was asked for, and the layer is needed here', async () => {
    const { base, app } = victim({ compress: false });
    const registry = new MemoryRegistry();
    const hostile = forged(makeCargo({ layers: [...layerTexts(base)] }), 0);
    registry.push(NAME, hostile.root, hostile.source);
    const daemon = await graphDaemon(app, 'app:1');
    const top = makeCargo({ layers: [layerTexts(base)[0] ?? '', `top ${count}`], compress: false });
    await daemon.hold(top.root, top.source, ['top:1']);
    const layout = await newLayout();
    const saving = saveInto(layout, daemon, {
      images: ['app:1', 'top:1'],
      thin: { when: 'always', openRepository: registry.open, asked: [NAME] },
    });
    await expect(saving).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
    expect(await layout.images()).toEqual([]);
  });

  test.each(WAYS_ON_OMITTED)(
    'where an image is %s whose first layer another layout claims to hold',
    async (_, run) => {
      const { app } = victim();
      const thin = forged(app, 0);
      const layout = await layoutOf(thin, 'app:1', { [OMITTED_LAYERS]: '1' }, [thin.evil]);
      const other = await layoutOf(forgedBase(thin), 'other:1');
      const to = await newLayout();
      await expect(run(layout, other, to)).rejects.toMatchObject({
        code: 'DIGEST_MISMATCH',
        facts: { digest: app.diffIds[0] },
      });
      expect(await to.images()).toEqual([]);
    },
  );

  test.each(WAYS_ON_OMITTED)(
    'where an image is %s that states two layers for one blob of another layout',
    async (_, run) => {
      const { base } = victim({ layers: [`twice ${count++}`] });
      const [blob] = base.layers;
      const [layer, diffId] = [blob ?? expect.fail(), base.diffIds[0] ?? expect.fail()];
      const another = digestOf(Buffer.from(`another ${count++}`));
      const config = Buffer.from(
        JSON.stringify({
          architecture: 'amd64',
          os: 'linux',
          rootfs: { type: 'layers', diff_ids: [another, diffId] },
        }),
      );
      const thin = { ...base, configDigest: digestOf(config), source: new MemoryContent([config]) };
      const manifest = buildManifest(configOf(thin), [layer, layer]);
      const content = { ...thin, root: manifest.descriptor };
      content.source.blobs.set(manifest.descriptor.digest, manifest.bytes);
      const layout = await layoutOf(content, 'app:1', { [OMITTED_LAYERS]: '2' });
      const to = await newLayout();
      await expect(run(layout, await layoutOf(base, 'other:1'), to)).rejects.toMatchObject({
        code: 'DIGEST_MISMATCH',
        facts: { digest: another },
      });
      expect(await to.images()).toEqual([]);
    },
  );
});

/** Every way on for an image of a layout. */
const WAYS_ON: [string, (from: Layout, to: Layout) => Promise<unknown>][] = [
  ['merged', async (from, to) => merge({ from: [from], to })],
  ['copied', async (from, to) => save({ from, to })],
  [
    'written to an OCI archive',
    async (from) => {
      for await (const _ of await exportArchive({ from: [from], format: 'oci' }));
    },
  ],
  ['signed', async (from) => signAll(from)],
  ['promoted', async (from) => promoteTo(from, (await FakeRegistry.start()).host)],
  [
    'verified',
    async (layout) => {
      for (const problem of (await verify({ layout })).problems) throw problem;
    },
  ],
];

test.each([
  ...WAYS_ON,
  [
    'written to a docker archive',
    async (from: Layout) => {
      for await (const _ of await exportArchive({ from: [from] }));
    },
  ] as const,
])('an image whose blob is not the layer that it stands for is not %s', async (_, run) => {
  const { app } = victim();
  const to = await newLayout();
  await expect(run(await layoutOf(forged(app, 1), 'app:1'), to)).rejects.toMatchObject({
    code: 'DIGEST_MISMATCH',
    facts: { digest: app.diffIds[1] },
  });
  expect(await to.images()).toEqual([]);
});

/** An image for several platforms: the image, and another one that the index lists so. */
function listedBeside(
  app: TestCargo,
  other: TestCargo,
  platform: { os: string; architecture: string },
): TestCargo {
  const index = buildIndex([
    { ...app.root, platform: { os: 'linux', architecture: 'amd64' } },
    { ...other.root, platform },
  ]);
  const blobs = [...app.source.blobs.values(), ...other.source.blobs.values(), index.bytes];
  return { ...app, root: index.descriptor, source: new MemoryContent(blobs) };
}

test.each(WAYS_ON)('nor is it %s beside a true one that its index calls its attestation', async (_, run) => {
  const { app } = victim();
  const cargo = listedBeside(app, forged(app, 1), { os: 'unknown', architecture: 'unknown' });
  const to = await newLayout();
  await expect(run(await layoutOf(cargo, 'app:1'), to)).rejects.toMatchObject({
    code: 'DIGEST_MISMATCH',
    facts: { digest: app.diffIds[1] },
  });
  expect(await to.images()).toEqual([]);
});

test.each(
  WAYS_ON.flatMap(([way, run]) =>
    ['arm64', 'unknown'].map((architecture) => [way, architecture, run] as const),
  ),
)('an image with a layer that is none is not %s, listed for %s', async (_, architecture, run) => {
  const { app } = victim();
  const note = Buffer.from('note');
  const descriptor = { mediaType: 'application/x-note', digest: digestOf(note), size: note.length };
  const hidden = forged(app, 1);
  const manifest = buildManifest(configOf(hidden), [...hidden.layers, descriptor]);
  const source = new MemoryContent([...hidden.source.blobs.values(), note, manifest.bytes]);
  const os = architecture === 'unknown' ? 'unknown' : 'linux';
  const cargo = listedBeside(app, { ...hidden, root: manifest.descriptor, source }, { os, architecture });
  const to = await newLayout();
  await expect(run(await layoutOf(cargo, 'app:1'), to)).rejects.toMatchObject({
    code: 'UNSUPPORTED',
    facts: { digest: descriptor.digest, actual: descriptor.mediaType },
  });
  expect(await to.images()).toEqual([]);
});

test.each(WAYS_ON)('an image whose config is called something else is not %s', async (_, run) => {
  const { app } = victim();
  const hidden = forged(app, 1);
  const config = { ...configOf(hidden), mediaType: 'application/vnd.example.config.v1+json' };
  const manifest = buildManifest(config, hidden.layers);
  const source = new MemoryContent([...hidden.source.blobs.values(), manifest.bytes]);
  const platform = { os: 'linux', architecture: 'arm64' };
  const cargo = listedBeside(app, { ...hidden, root: manifest.descriptor, source }, platform);
  const to = await newLayout();
  await expect(run(await layoutOf(cargo, 'app:1'), to)).rejects.toMatchObject({
    code: 'DIGEST_MISMATCH',
    facts: { digest: app.diffIds[1] },
  });
  expect(await to.images()).toEqual([]);
});

test.each(WAYS_ON)(
  'an artifact with layers and a config that states none is %s beside an image',
  async (_, run) => {
    const { app } = victim();
    const [file, empty] = [Buffer.from(`a file ${count++}`), Buffer.from('{}')];
    const config = { ...describeBytes(empty), mediaType: 'application/vnd.oci.empty.v1+json' };
    const layer = { ...describeBytes(file), mediaType: 'application/vnd.oci.image.layer.v1.tar' };
    const manifest = buildManifest(config, [layer]);
    const source = new MemoryContent([file, empty, manifest.bytes]);
    const platform = { os: 'unknown', architecture: 'unknown' };
    const cargo = listedBeside(app, { ...app, root: manifest.descriptor, source }, platform);
    await run(await layoutOf(cargo, 'app:1'), await newLayout());
  },
);

const PLAIN = tar(entry('file', 'the layer'));
const OTHER = tar(entry('file', 'another layer'));
const GZIP = gzipSync(PLAIN);
const ZSTD = sizedFrame(PLAIN.length, PLAIN);

/** Forms of the blob of one layer: its bytes, how its media type ends, and the error of every way on. */
const FORMS: [string, Uint8Array, string, string | undefined][] = [
  ['a plain blob that is called gzip', PLAIN, '+gzip', undefined],
  ['gzip that is called a plain blob', GZIP, '', undefined],
  ['zstd that is called gzip', ZSTD, '+gzip', undefined],
  [
    'gzip of several members',
    Buffer.concat([gzipSync(PLAIN.subarray(0, 99)), gzipSync(PLAIN.subarray(99))]),
    '+gzip',
    undefined,
  ],
  [
    'zstd with skippable frames',
    Buffer.concat([skippable(OTHER), ZSTD, skippable(OTHER)]),
    '+zstd',
    undefined,
  ],
  [
    'gzip with a second layer as a member',
    Buffer.concat([GZIP, gzipSync(OTHER)]),
    '+gzip',
    'DIGEST_MISMATCH',
  ],
  ['gzip with a plain layer behind it', Buffer.concat([GZIP, OTHER]), '+gzip', 'MALFORMED'],
  [
    'zstd with a second layer as a frame',
    Buffer.concat([ZSTD, sizedFrame(OTHER.length, OTHER)]),
    '+zstd',
    'DIGEST_MISMATCH',
  ],
  ['zstd with a plain layer behind it', Buffer.concat([ZSTD, OTHER]), '+zstd', 'MALFORMED'],
  ['a skippable frame alone', skippable(PLAIN), '+zstd', 'DIGEST_MISMATCH'],
  ['a plain layer with another one behind it', Buffer.concat([PLAIN, OTHER]), '', 'DIGEST_MISMATCH'],
  ['no bytes', Buffer.alloc(0), '', 'DIGEST_MISMATCH'],
  ['no bytes that are called gzip', Buffer.alloc(0), '+gzip', 'DIGEST_MISMATCH'],
];

/** An image with these blobs as its layers, whose config states these diffIDs. */
function imageOf(blobs: readonly Uint8Array[], diffIds: readonly Digest[], suffix: string): TestCargo {
  const rootfs = { type: 'layers', diff_ids: diffIds };
  const config = Buffer.from(JSON.stringify({ architecture: 'amd64', os: 'linux', number: count++, rootfs }));
  const layers = blobs.map((bytes) => ({
    mediaType: `application/vnd.oci.image.layer.v1.tar${suffix}`,
    digest: digestOf(bytes),
    size: bytes.length,
  }));
  const configDigest = digestOf(config);
  const source = new MemoryContent([...blobs, config]);
  const manifest = buildManifest(configOf({ source, configDigest }), layers);
  source.blobs.set(manifest.descriptor.digest, manifest.bytes);
  return { root: manifest.descriptor, configDigest, diffIds: [...diffIds], layers, source };
}

const ALL_WAYS_ON: typeof WAYS_ON = [
  ...WAYS_ON,
  ['loaded', async (from) => load({ from: [from], to: new MemoryEndpoint() })],
];

test.each(ALL_WAYS_ON)('of one layer in many forms, those with nothing else are %s', async (_, run) => {
  for (const [form, blob, suffix, code] of FORMS) {
    const layout = await layoutOf(imageOf([blob], [digestOf(PLAIN)], suffix), 'app:1');
    const error = await run(layout, await newLayout()).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect.soft(error && (error as DrayageError).code, form).toBe(code);
  }
});

test.each(WAYS_ON)('an image with blobs that contradict each other is not %s', async (_, run) => {
  const [wrong, sha256, sha512] = [digestOf(OTHER), digestOf(PLAIN), digestOf(PLAIN, 'sha512')];
  const wrong512 = digestOf(OTHER, 'sha512');
  const images: [readonly Uint8Array[], readonly Digest[], Digest | undefined][] = [
    [[GZIP, GZIP], [sha256, sha512], undefined],
    [[GZIP, GZIP], [sha256, wrong], wrong],
    [[GZIP, GZIP], [wrong, sha256], wrong],
    [[GZIP, GZIP], [sha256, wrong512], wrong512],
    [[GZIP, gzipSync(OTHER)], [sha256, sha256], sha256],
    [[gzipSync(OTHER), GZIP], [sha512, sha512], sha512],
  ];
  for (const [blobs, diffIds, digest] of images) {
    const layout = await layoutOf(imageOf(blobs, diffIds, '+gzip'), 'app:1');
    const running = run(layout, await newLayout());
    if (digest === undefined) await running;
    else await expect(running).rejects.toMatchObject({ code: 'DIGEST_MISMATCH', facts: { digest } });
  }
});

test.each(ALL_WAYS_ON)('an image with foreign data in a descriptor is not %s', async (_, run) => {
  const { app } = victim();
  const data = Buffer.from('foreign').toString('base64');
  const [config, [first, ...others]] = [configOf(app), app.layers];
  const platform = { os: 'linux', architecture: 'amd64' };
  const documents: [string, object][] = [
    [OCI_MANIFEST, { config: { ...config, data }, layers: app.layers }],
    [OCI_MANIFEST, { config, layers: [{ ...first, data }, ...others] }],
    [OCI_MANIFEST, { config, layers: app.layers, subject: { ...app.root, data } }],
    [OCI_INDEX, { manifests: [{ ...app.root, platform, data }] }],
    [OCI_INDEX, { manifests: [{ ...app.root, platform }], subject: { ...app.root, data } }],
  ];
  for (const [mediaType, document] of documents) {
    const { descriptor, bytes } = toDocument(
      mediaType,
      JSON.stringify({ schemaVersion: 2, mediaType, ...document }),
    );
    const source = new MemoryContent([...app.source.blobs.values(), bytes]);
    const attempt = async (): Promise<unknown> =>
      run(await layoutOf({ ...app, root: descriptor, source }, 'app:1'), await newLayout());
    await expect(attempt()).rejects.toMatchObject({ code: 'MALFORMED' });
  }
});

const noBase: OpenBase = async () => expect.fail('no base is needed');

/** The texts of the layers of {@link victim}'s base. */
function layerTexts({ source, layers }: TestCargo): string[] {
  return layers.map(({ digest }) => /(?:base|middle) \d+/.exec(String(source.blobs.get(digest)))?.[0] ?? '');
}

/** An image in which the foreign blob is its own, right layer. */
function forgedBase({ source, evil }: TestCargo & { evil: Descriptor }): TestCargo {
  const bytes = source.blobs.get(evil.digest) ?? expect.fail('no blob');
  const config = Buffer.from(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      rootfs: { type: 'layers', diff_ids: [evil.digest] },
    }),
  );
  const descriptor = {
    mediaType: 'application/vnd.oci.image.config.v1+json',
    digest: digestOf(config),
    size: config.length,
  };
  const manifest = buildManifest(descriptor, [evil]);
  return {
    root: manifest.descriptor,
    configDigest: descriptor.digest,
    diffIds: [evil.digest],
    layers: [evil],
    source: new MemoryContent([bytes, config, manifest.bytes]),
  };
}

interface Predicate {
  buildDefinition: { internalParameters: { unreadLayers?: string[] } };
}

/** What a daemon says of a base that it has pulled. */
const pulledBy = ({ diffIds }: TestCargo, { root }: TestCargo) => [
  { diffIds, references: [`${NAME}@${root.digest}`] },
];

/** Saves an image whose label names a base in a registry, as the attacker or the owner of the registry has it. */
async function thinSave(hostile: boolean): Promise<{
  layout: Layout;
  registry: MemoryRegistry;
  openBase: OpenBase;
  layers: Descriptor[];
}> {
  const { base, app } = victim();
  const pushed = hostile ? forged(base, 0) : base;
  const registry = new MemoryRegistry();
  registry.push(NAME, pushed.root, pushed.source);
  const daemon = await graphDaemon(app, 'app:1');
  const inspect = daemon.inspect.bind(daemon);
  daemon.inspect = async (image, options) => ({
    ...(await inspect(image, options)),
    labels: { [BASE_NAME]: NAME },
  });
  const layout = await newLayout();
  await saveInto(layout, daemon, {
    annotations: { [BASE_NAME]: NAME },
    thin: { when: 'always', openRepository: registry.open, pulled: async () => pulledBy(base, pushed) },
  });
  expect((await layout.images())[0]?.annotations).toMatchObject({ [OMITTED_LAYERS]: '2' });
  registry.asked.splice(0);
  return { layout, registry, openBase: async ({ name }) => registry.open(name), layers: pushed.layers };
}

/** The places among the base's layers of those that a statement lists as not read. */
async function signedAsUnread(bases?: string[]): Promise<number[]> {
  const { layout, registry, layers } = await thinSave(false);
  const statements: string[] = [];
  const keep = async (statement: Buffer): Promise<Buffer> => {
    statements.push(String(statement));
    return statement;
  };
  await signAll(layout, { openRepository: registry.open, bases, sign: keep });
  const { buildDefinition } = (JSON.parse(statements[0] ?? '') as { predicate: Predicate }).predicate;
  const { unreadLayers = [] } = buildDefinition.internalParameters;
  return unreadLayers.map((digest) => layers.findIndex((layer) => layer.digest === digest));
}

describe('a base that the user did not name', () => {
  test('is read before its layers are signed', async () => {
    const { layout, registry, layers } = await thinSave(false);
    await signAll(layout, { openRepository: registry.open });
    expect(registry.layersRead.toSorted()).toEqual(layers.map(({ digest }) => digest).toSorted());
  });

  test.each<[string, Partial<SignOptions>, string]>([
    ['holds other bytes', {}, 'DIGEST_MISMATCH'],
    ['cannot be asked', { openRepository: undefined }, 'NOT_FOUND'],
  ])('is not signed where it %s', async (_, options, code) => {
    const { layout, registry } = await thinSave(true);
    const signing = signAll(layout, { openRepository: registry.open, ...options });
    await expect(signing).rejects.toMatchObject({ code });
    const [image] = await layout.images();
    expect(await layout.referrers(image?.root ?? expect.fail())).toEqual([]);
  });

  test('is taken at its word where the user names it: then it is not read', async () => {
    const { layout, registry } = await thinSave(false);
    await signAll(layout, { openRepository: registry.open, bases: [NAME] });
    expect(registry.layersRead).toEqual([]);
  });

  test('is taken at its word only with the layers that were not read in the signed statement', async () => {
    expect(await signedAsUnread([NAME])).toEqual([0, 1]);
    expect(await signedAsUnread()).toEqual([]);
  });

  test('is not taken at its word where another one is named', async () => {
    const { layout, registry } = await thinSave(true);
    const other = makeCargo({ layers: [`unrelated ${count++}`] });
    registry.push('registry.example/other:1', other.root, other.source);
    const signing = signAll(layout, {
      openRepository: registry.open,
      bases: ['registry.example/other:1', 'registry.example/other:none'],
    });
    await expect(signing).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
  });

  test('brings nothing into a daemon that is not the layer', async () => {
    const { layout, openBase } = await thinSave(true);
    const daemon = new MemoryEndpoint();
    await expect(load({ from: [layout], to: daemon, openBase })).rejects.toMatchObject({
      code: 'DIGEST_MISMATCH',
    });
    expect(daemon.held).toEqual([]);
  });
});

describe('what is promoted', () => {
  test('is refused where a blob of it is not the layer that it stands for, though the registry has the blob', async () => {
    const { app } = victim();
    const planted = forged(app, 1);
    const fake = await FakeRegistry.start();
    const bytes = planted.source.blobs.get(planted.evil.digest) ?? expect.fail();
    fake.store.repository('app').blobs.set(planted.evil.digest, Buffer.from(bytes));
    await expect(promoteTo(await layoutOf(planted, 'app:1'), fake.host)).rejects.toMatchObject({
      code: 'DIGEST_MISMATCH',
      facts: { digest: app.diffIds[1] },
    });
    expect(fake.store.repository('app').tags.size).toBe(0);
    expect(fake.received).toBe(0);
  });

  test('is refused where an omitted layer is not what it stands for, though it could be mounted', async () => {
    const { app } = victim();
    const planted = forged(app, 0);
    const fake = await FakeRegistry.start();
    const bytes = planted.source.blobs.get(planted.evil.digest) ?? expect.fail();
    fake.store.repository('library/base').blobs.set(planted.evil.digest, Buffer.from(bytes));
    const annotations = { [OMITTED_LAYERS]: '1', [BASE_NAME]: `${fake.host}/library/base:1` };
    const layout = await layoutOf(planted, 'app:1', annotations, [planted.evil]);
    await expect(promoteTo(layout, fake.host)).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
    expect(fake.store.repository('app').tags.size).toBe(0);
  });

  test.each([
    ['and not named, is read: its signer has not read it', [], 'DIGEST_MISMATCH'],
    ['and named here too, is not read', ['base:1'], undefined],
  ])('with a layer that only a base states, %s', async (_, names, code) => {
    const { base, app } = victim();
    const planted = forged(app, 0);
    const fake = await FakeRegistry.start();
    const hostile = forgedLike(base, planted.evil);
    const repository = fake.store.repository('library/base');
    for (const [digest, bytes] of planted.source.blobs) repository.blobs.set(digest, Buffer.from(bytes));
    const bytes = Buffer.from(hostile.source.blobs.get(hostile.root.digest) ?? expect.fail());
    repository.manifests.set(hostile.root.digest, { bytes, mediaType: hostile.root.mediaType });
    for (const [digest, blob] of hostile.source.blobs) repository.blobs.set(digest, Buffer.from(blob));
    repository.tags.set('1', hostile.root.digest);
    const annotations = { [OMITTED_LAYERS]: '1', [BASE_NAME]: `${fake.host}/library/base:1` };
    const layout = await layoutOf(planted, 'app:1', annotations, [planted.evil]);
    const signed = { names: null, origin: {}, unreadLayers: [planted.evil.digest] };
    const authenticate = async () => [{ signed } as unknown as Voucher];
    const bases = names.map((name) => `${fake.host}/library/${name}`);
    const promoting = promoteTo(layout, fake.host, { authenticate, bases });
    if (code === undefined) {
      expect((await promoting).images).toHaveLength(1);
    } else {
      await expect(promoting).rejects.toMatchObject({ code, facts: { digest: app.diffIds[0] } });
      expect(fake.store.repository('app').tags.size).toBe(0);
    }
  });

  test('is refused where a blob of it is not the layer that it stands for, though another tool has signed it', async () => {
    const { app } = victim();
    const fake = await FakeRegistry.start();
    const signed = { names: null, origin: {}, unreadLayers: [], layersRead: false };
    const authenticate = async (): Promise<Voucher[]> => [{ ...app.root, signed }];
    const promoting = promoteTo(await layoutOf(forged(app, 1), 'app:1'), fake.host, { authenticate });
    await expect(promoting).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
    expect(fake.store.repository('app').tags.size).toBe(0);
  });

  test.each([
    ['the repository holds the image', { authenticate: undefined }, 2],
    ['somebody was asked for who vouches for it', { authenticate: async () => [{} as Descriptor] }, 1],
  ])('is not read where %s', async (_, options, times) => {
    const { app } = victim();
    const planted = forged(app, 1);
    const layout = await layoutOf(planted, 'app:1');
    const fake = await FakeRegistry.start();
    const known = { authenticate: async () => [{} as Descriptor] };
    for (let i = 1; i < times; i++) await promoteTo(layout, fake.host, known);
    const { images } = await promoteTo(layout, fake.host, options);
    expect(images[0]?.digest).toBe(planted.root.digest);
  });
});

describe('work is done once', () => {
  test('what was saved is not read to be signed', async () => {
    const { app } = victim();
    const layout = await newLayout();
    await saveInto(layout, await graphDaemon(app, 'app:1'));
    const open = vi.spyOn(layout, 'open');
    await signAll(layout);
    const layers = new Set((await layersOf(layout, 'app:1')).map(({ blob }) => blob.digest));
    expect(open.mock.calls.filter(([{ digest }]) => layers.has(digest))).toEqual([]);
  });

  test('what is held is read once, to be saved and to be signed again and again', async () => {
    const { app } = victim();
    const layout = await layoutOf(app, 'held:1');
    const open = vi.spyOn(layout, 'open');
    const layers = new Set(app.layers.map(({ digest }) => digest));
    const opened = (): number => open.mock.calls.filter(([{ digest }]) => layers.has(digest)).length;
    for (let i = 0; i < 2; i++) {
      const { images } = await saveInto(layout, await graphDaemon(app, 'app:1'));
      expect(images[0]?.layers.map(({ status }) => status)).toEqual(['reused', 'reused', 'reused']);
      await signAll(layout, { images: ['app:1'] });
      expect(opened()).toBe(layers.size);
    }
  });

  test('what was proven for one registry is not read for the next', async () => {
    const { app } = victim();
    const layout = await layoutOf(app, 'app:1');
    const open = vi.spyOn(layout, 'open');
    const hosts = [await FakeRegistry.start(), await FakeRegistry.start()].map(({ host }) => host);
    await promoteTo(layout, hosts[0] ?? '');
    const layers = new Set(app.layers.map(({ digest }) => digest));
    open.mockClear();
    await promoteTo(layout, hosts[1] ?? '');
    // To be sent, and not to be proven as well.
    expect(open.mock.calls.filter(([{ digest }]) => layers.has(digest))).toHaveLength(layers.size);
  });
});
