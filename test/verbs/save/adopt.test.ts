import { randomBytes } from 'node:crypto';
import type * as Promises from 'node:fs/promises';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { Layout } from '../../../src/layout/layout.ts';
import type { Descriptor } from '../../../src/oci/descriptor.ts';
import { digestHex, digestOf } from '../../../src/oci/digest.ts';
import type { ProgressEvent } from '../../../src/progress.ts';
import type { SaveOptions, SaveResult } from '../../../src/verbs/save/options.ts';
import { save } from '../../../src/verbs/save/save.ts';
import { verify } from '../../../src/verbs/verify/verify.ts';
import { makeCargo } from '../../docker/cargo.ts';
import type { SampleImage } from '../../../src/testing/sample-images.ts';
import {
  describeBytes,
  imageOf,
  sampleImage,
  sampleIndex,
  sampleReferrer,
} from '../../../src/testing/sample-images.ts';
import { sampleAttestation } from '../../layout/sample-images.ts';
import { snapshot } from '../../layout/folders.ts';
import { buildkitEntry, entryOf, writeBuilderLayout } from '../../support/builder-layout.ts';
import type { BuilderLayout } from '../../support/builder-layout.ts';
import { MemoryRegistry } from '../../support/memory-registry.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

/** How often each file was opened for reading, by its name. */
const opened = vi.hoisted(() => new Map<string, number>());

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof Promises>();
  const open = async (...args: Parameters<typeof real.open>): Promise<Promises.FileHandle> => {
    const name = String(args[0]).split('/').at(-1) ?? '';
    opened.set(name, (opened.get(name) ?? 0) + 1);
    return real.open(...args);
  };
  return { ...real, open };
});

let count = 0;
/** Layers that no other test has: what is proven or hashed stays so for the whole process. */
const fresh = (...texts: string[]): SampleImage => sampleImage(texts.map((text) => `${text} ${count++}`));

const ORIGIN = { 'dev.drayage.gitlab.job-id': '7', 'org.opencontainers.image.revision': 'a'.repeat(40) };
const REF_NAME = 'org.opencontainers.image.ref.name';

let notes: string[];
beforeEach(() => {
  notes = [];
  opened.clear();
});

async function built(layout: BuilderLayout): Promise<string> {
  const path = join(await temporaryFolder(), '7');
  await writeBuilderLayout(path, layout);
  return path;
}

function onProgress(event: ProgressEvent): void {
  if (event.kind === 'note') notes.push(event.message);
}

async function adopt(
  path: string,
  options: Partial<SaveOptions> = {},
): Promise<{ layout: Layout; result: SaveResult }> {
  const layout = await Layout.adopt(path);
  const result = await save({ annotations: ORIGIN, ...options, from: layout, to: layout, onProgress });
  return { layout, result };
}

const fileOf = (path: string, { digest }: Descriptor): string =>
  join(path, 'blobs/sha256', digestHex(digest));
const isThere = (path: string, blob: Descriptor): boolean => existsSync(fileOf(path, blob));
/** Everything that tells whether a file was written again. */
const stampsOf = (path: string): string[] =>
  readdirSync(join(path, 'blobs/sha256')).map((name) => {
    const { ino, mtimeMs, ctimeMs } = statSync(join(path, 'blobs/sha256', name));
    return `${name} ${ino} ${mtimeMs} ${ctimeMs}`;
  });
const entriesOf = (path: string): Descriptor[] =>
  (JSON.parse(readFileSync(join(path, 'index.json'), 'utf8')) as { manifests: Descriptor[] }).manifests;
const state = async (layout: Layout): Promise<[string[], string | undefined][]> =>
  (await layout.images()).map(({ names, annotations }) => [names, annotations['dev.drayage.gitlab.job-id']]);

test('an image that a builder wrote gets origin, name and manifest.json; no blob is touched, each layer is read once', async () => {
  const image = fresh('base', 'app');
  const path = await built({ content: [image], entries: [buildkitEntry(image, 'app', '1')] });
  const before = stampsOf(path);
  const { layout, result } = await adopt(path, { images: ['app:1'] });
  expect(await state(layout)).toEqual([[['app:1'], '7']]);
  expect(stampsOf(path)).toEqual(before);
  for (const { digest } of image.layers) expect(opened.get(digestHex(digest))).toBe(1);
  expect(JSON.parse(readFileSync(join(path, 'manifest.json'), 'utf8'))).toMatchObject([
    { RepoTags: ['app:1'] },
  ]);
  expect(result).toMatchObject({
    images: [{ name: 'app:1', digest: image.root.digest, id: image.config.digest }],
    bytes: { written: 0, omitted: 0 },
  });
  expect(result.images[0]?.layers.map(({ status, uncompressedSize }) => [status, uncompressedSize])).toEqual([
    ['reused', null],
    ['reused', null],
  ]);
  expect((await verify({ layout })).problems).toEqual([]);
});

test('with a proof, each layer is read once as well, and its uncompressed size is known', async () => {
  const image = fresh('base', 'app');
  const path = await built({ content: [image], entries: [buildkitEntry(image, 'app', '1')] });
  const { result } = await adopt(path, { images: ['app:1'], prove: true });
  for (const { digest } of image.layers) expect(opened.get(digestHex(digest))).toBe(1);
  expect(result.images[0]?.layers.every(({ uncompressedSize }) => uncompressedSize !== null)).toBe(true);
});

/** The same image with docker's media types. */
function asDocker(image: SampleImage): SampleImage {
  const [, bytes = expect.fail()] = image.blobs.find(([{ digest }]) => digest === image.root.digest) ?? [];
  const manifest = JSON.parse(Buffer.from(bytes).toString()) as { config: object; layers: object[] };
  const mediaType = 'application/vnd.docker.distribution.manifest.v2+json';
  const written = Buffer.from(
    JSON.stringify({
      ...manifest,
      mediaType,
      config: { ...manifest.config, mediaType: 'application/vnd.docker.container.image.v1+json' },
      layers: manifest.layers.map((layer) => ({
        ...layer,
        mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
      })),
    }),
  );
  const root = describeBytes(written, mediaType);
  return { ...image, root, blobs: [...image.blobs.slice(0, -1), [root, written]] };
}

/** An image whose layer is not the one that its config states. */
function forged(): SampleImage {
  const { layers, blobs } = fresh('other');
  const [, bytes] = blobs.find(([{ digest }]) => digest === layers[0]?.digest) ?? [];
  return imageOf([[digestOf(Buffer.from(`stated ${count++}`)), bytes ?? Buffer.alloc(0)]]);
}

describe('a layer that is not what the config states', () => {
  test('is refused where a proof is asked for, and nothing changes', async () => {
    const image = forged();
    const path = await built({ content: [image], entries: [buildkitEntry(image, 'app', '1')] });
    const before = snapshot(path);
    await expect(adopt(path, { images: ['app:1'], prove: true })).rejects.toMatchObject({
      code: 'DIGEST_MISMATCH',
    });
    expect(snapshot(path)).toEqual(before);
  });

  test('does not count as held for another image', async () => {
    const image = forged();
    const path = await built({ content: [image], entries: [buildkitEntry(image, 'app', '1')] });
    const { layout } = await adopt(path, { images: ['app:1'] });
    expect((await verify({ layout })).problems).not.toEqual([]);
  });
});

test.each<[string, (path: string, image: SampleImage) => void]>([
  ['damaged', (path, { layers: [top] }) => top && writeFileSync(fileOf(path, top), Buffer.alloc(top.size))],
  ['of another size', (path, { layers: [top] }) => top && writeFileSync(fileOf(path, top), 'x')],
  ['absent', (path, { layers: [top] }) => top && rmSync(fileOf(path, top))],
  ['a damaged config', (path, { config }) => writeFileSync(fileOf(path, config), Buffer.alloc(config.size))],
])('a blob that is %s fails, and nothing changes', async (_, damage) => {
  const image = fresh('base', 'app');
  const path = await built({ content: [image], entries: [buildkitEntry(image, 'app', '1')] });
  damage(path, image);
  const before = snapshot(path);
  await expect(adopt(path, { images: ['app:1'] })).rejects.toMatchObject({
    facts: { digest: expect.stringMatching(/^sha256:/) },
  });
  expect(snapshot(path)).toEqual(before);
});

describe('what is named', () => {
  test('is adopted; other entries keep what they state, with a note', async () => {
    const [mine, other] = [fresh('mine'), fresh('other')];
    const [named, restored] = [buildkitEntry(mine, 'app', '1'), buildkitEntry(other, 'old', '1')];
    const foreign = { ...restored.annotations, 'dev.drayage.gitlab.job-id': '3' };
    const entries = [{ ...restored, annotations: foreign }, named];
    const path = await built({ content: [mine, other], entries });
    const { layout } = await adopt(path, { images: ['app:1'] });
    expect(await state(layout)).toEqual([
      [['old:1'], '3'],
      [['app:1'], '7'],
    ]);
    expect(entriesOf(path)[0]).toEqual(entries[0]);
    expect(notes).toEqual([expect.stringMatching(/^old:1: not adopted/)]);
  });

  test('must be something, and the error lists what is there', async () => {
    const image = fresh('app');
    const path = await built({ content: [image], entries: [buildkitEntry(image, 'app', '1')] });
    const before = snapshot(path);
    await expect(adopt(path)).rejects.toMatchObject({
      code: 'USAGE',
      facts: { reason: 'NOTHING_NAMED', candidates: ['app:1'] },
    });
    expect(snapshot(path)).toEqual(before);
  });

  test('must be there', async () => {
    const image = fresh('app');
    const path = await built({ content: [image], entries: [buildkitEntry(image, 'app', '1')] });
    await expect(adopt(path, { images: ['app:2'] })).rejects.toMatchObject({
      code: 'NOT_FOUND',
      facts: { candidates: ['app:1'] },
    });
  });

  test('by a name of two images for one platform is refused; a digest chooses, and takes the name', async () => {
    const [old, mine] = [fresh('old'), fresh('mine')];
    const entries = [entryOf(old, 'app:1'), buildkitEntry(mine, 'app', '1')];
    const path = await built({ content: [old, mine], entries });
    await expect(adopt(path, { images: ['app:1'] })).rejects.toMatchObject({ code: 'AMBIGUOUS' });
    const { layout } = await adopt(path, { images: [mine.config.digest] });
    expect((await layout.resolve('app:1')).map(({ root }) => root.digest)).toEqual([mine.root.digest]);
  });

  test.each<[string, (image: SampleImage) => Partial<SaveOptions>, string[]]>([
    ['by the digest of its manifest', ({ root }) => ({ images: [root.digest] }), []],
    ['by the digest of its config', ({ config }) => ({ images: [config.digest] }), []],
    ["by the builder's word", () => ({ images: ['latest'] }), []],
    ['by a name and a digest', ({ root }) => ({ images: [`app:1@${root.digest}`] }), ['app:1']],
    ['by a name, if it is the only image', () => ({ images: ['app'] }), ['app:latest']],
    [
      'by the metadata of its build',
      ({ config }) => ({
        built: [
          { digests: [digestOf(Buffer.from('elsewhere')), config.digest], names: ['docker.io/library/app'] },
        ],
      }),
      ['app:latest'],
    ],
    [
      'by metadata with a name by digest, which is none',
      ({ root }) => ({ built: [{ digests: [root.digest], names: [`moby-dangling@${root.digest}`] }] }),
      [],
    ],
  ])('may have no name: %s', async (_, options, names) => {
    const image = fresh('base', 'app');
    const path = await built({ content: [image], entries: [entryOf(image, 'latest')] });
    const { layout } = await adopt(path, options(image));
    // The builder's word still finds it, and states the same origin.
    expect(await state(layout)).toEqual([[names, '7']]);
    for (const { annotations } of entriesOf(path)) expect(annotations).toMatchObject(ORIGIN);
    expect(entriesOf(path)[0]?.annotations?.[REF_NAME]).toBe('latest');
  });

  test.each<[string, (image: SampleImage) => SampleImage]>([
    ['kaniko', asDocker],
    ['ko for one platform', (image) => image],
    ['ko for several platforms', (image) => sampleIndex([image, sampleImage([`arm ${count++}`], 'arm64')])],
  ])('by a name and a digest, as %s writes it: without any annotation', async (_, write) => {
    const [base, other] = [fresh('base', 'app'), fresh('of another run')];
    const image = write(base);
    const path = await built({ content: [base, image, other], entries: [other.root, entryOf(image)] });
    const before = stampsOf(path);
    const { layout, result } = await adopt(path, { images: [`app:1@${image.root.digest}`] });
    expect(result.images).toMatchObject([{ name: 'app:1', digest: image.root.digest }]);
    expect((await layout.resolve('app:1')).map(({ root }) => root.digest)).toEqual([image.root.digest]);
    expect(entriesOf(path)[0]).toEqual(other.root);
    expect(stampsOf(path)).toEqual(before);
    expect((await verify({ layout })).problems).toEqual([]);
  });

  test('by a name gets no name if there are several images', async () => {
    const [one, other] = [fresh('one'), fresh('other')];
    const path = await built({ content: [one, other], entries: [entryOf(one), entryOf(other)] });
    await expect(adopt(path, { images: ['app'] })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('by metadata of another build is refused', async () => {
    const image = fresh('app');
    const path = await built({ content: [image], entries: [entryOf(image, 'latest')] });
    const digests = [digestOf(Buffer.from('another'))];
    await expect(adopt(path, { built: [{ digests, names: [] }] })).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining(digests[0] ?? ''),
    });
  });
});

test('attestations and referrers stay, also if the image is named by its config', async () => {
  const image = fresh('base', 'app');
  const attestation = sampleAttestation(image);
  const index = sampleIndex([image], [attestation.root]);
  const signature = sampleReferrer(index.root, `signature ${count++}`);
  const path = await built({
    content: [index, attestation, signature],
    entries: [buildkitEntry(index, 'app', '1'), signature.root],
  });
  const before = stampsOf(path);
  const { layout, result } = await adopt(path, { images: [image.config.digest] });
  expect(result.images).toMatchObject([{ name: 'app:1', digest: index.root.digest }]);
  expect(stampsOf(path)).toEqual(before);
  expect(await layout.referrers(index.root)).toHaveLength(1);
  const [content] = attestation.layers;
  expect(opened.get(digestHex(content?.digest ?? index.root.digest))).toBe(1);
});

test('what a builder left out is added: oci-layout', async () => {
  const image = fresh('app');
  const path = await built({
    content: [image],
    entries: [buildkitEntry(image, 'app', '1')],
    isMarked: false,
  });
  await expect(Layout.open(path)).rejects.toMatchObject({ code: 'MALFORMED' });
  await expect(Layout.create(path)).rejects.toMatchObject({ code: 'UNSAFE' });
  await adopt(path, { images: ['app:1'] });
  expect(await state(await Layout.open(path))).toEqual([[['app:1'], '7']]);
});

test('a failure adds no oci-layout', async () => {
  const image = fresh('app');
  const path = await built({
    content: [image],
    entries: [buildkitEntry(image, 'app', '1')],
    isMarked: false,
  });
  const before = snapshot(path);
  await expect(adopt(path, { images: ['app:1'], maxSize: 10 })).rejects.toMatchObject({ code: 'LIMIT' });
  expect(snapshot(path)).toEqual(before);
});

test('adopting again changes nothing', async () => {
  const image = fresh('app');
  const path = await built({ content: [image], entries: [buildkitEntry(image, 'app', '1')] });
  await adopt(path, { images: ['app:1'] });
  const before = snapshot(path);
  await adopt(path, { images: ['app:1'] });
  expect(snapshot(path)).toEqual(before);
});

describe('omitted layers', () => {
  const NAME = 'registry.example/base:1';
  const texts = [randomBytes(50_000), 'thin middle'];
  const base = makeCargo({ layers: texts });
  const app = makeCargo({ layers: [...texts, 'thin app'] });
  const tool = makeCargo({ layers: [texts[0] ?? '', 'thin tool'] });
  const sampleOf = ({ root, source }: typeof app): SampleImage => ({
    ...sampleImage([]),
    root,
    blobs: [...source.blobs].map(([digest, bytes]) => [{ ...root, digest, size: bytes.length }, bytes]),
  });
  const registry = new MemoryRegistry();
  registry.push(NAME, base.root, base.source);
  const thin = { when: 'always', openRepository: registry.open, asked: [NAME] } as const;

  test('go after the index states it, and what other images need stays', async () => {
    const [mine, other] = [sampleOf(app), sampleOf(tool)];
    const path = await built({
      content: [mine, other],
      entries: [buildkitEntry(mine, 'app', '1'), buildkitEntry(other, 'tool', '1')],
    });
    const { layout, result } = await adopt(path, { images: ['app:1'], thin });
    const [first, second, third] = app.layers as [Descriptor, Descriptor, Descriptor];
    expect(result.images[0]?.layers.map(({ status }) => status)).toEqual(['reused', 'omitted', 'reused']);
    expect([first, second, third].map((blob) => isThere(path, blob))).toEqual([true, false, true]);
    const [{ annotations }] = await layout.resolve('app:1');
    expect(annotations).toMatchObject({ 'dev.drayage.omitted-layers': '2', ...ORIGIN });
    expect((await verify({ layout })).problems).toEqual([]);
  });

  test('make room under a limit', async () => {
    const mine = sampleOf(app);
    const path = await built({ content: [mine], entries: [buildkitEntry(mine, 'app', '1')] });
    const maxSize = 10_000;
    const search = { ...thin, when: 'auto' } as const;
    const { layout } = await adopt(path, { images: ['app:1'], thin: search, maxSize });
    expect(app.layers.map((blob) => isThere(path, blob))).toEqual([false, false, true]);
    expect(existsSync(join(path, 'manifest.json'))).toBe(false);
    // Again: it stays as it is.
    const before = snapshot(path);
    await adopt(path, { images: ['app:1'], thin: search, maxSize });
    expect(snapshot(path)).toEqual(before);
    expect((await verify({ layout })).problems).toEqual([]);
  });

  test('stay if nobody knows what another image needs', async () => {
    const [mine, other] = [sampleOf(app), fresh('unreadable')];
    const path = await built({
      content: [mine, other],
      entries: [buildkitEntry(mine, 'app', '1'), buildkitEntry(other, 'old', '1')],
    });
    writeFileSync(fileOf(path, other.root), 'damaged');
    await adopt(path, { images: ['app:1'], thin });
    expect(app.layers.map((blob) => isThere(path, blob))).toEqual([true, true, true]);
  });

  test('go after a crash that left them', async () => {
    const mine = sampleOf(app);
    const path = await built({ content: [mine], entries: [buildkitEntry(mine, 'app', '1')] });
    const crash = vi.spyOn(Layout.prototype, 'discard').mockRejectedValueOnce(new Error('killed'));
    await expect(adopt(path, { images: ['app:1'], thin })).rejects.toThrow('killed');
    crash.mockRestore();
    const layout = await Layout.open(path);
    expect(await state(layout)).toEqual([[['app:1'], '7']]);
    expect((await verify({ layout })).problems).toEqual([]);
    expect(app.layers.map((blob) => isThere(path, blob))).toEqual([true, true, true]);
    await adopt(path, { images: ['app:1'], thin });
    expect(app.layers.map((blob) => isThere(path, blob))).toEqual([false, false, true]);
  });
});

test('a folder without blobs is no layout', async () => {
  const path = join(await temporaryFolder(), '7');
  await writeBuilderLayout(path, { content: [], entries: [], isMarked: false });
  await expect(Layout.adopt(path)).rejects.toMatchObject({ code: 'MALFORMED' });
});
