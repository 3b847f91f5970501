import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test, vi } from 'vitest';
import { originPolicy } from '../../../src/ci/origin-policy.ts';
import type { ImagePolicy } from '../../../src/content/policy.ts';
import { DrayageError } from '../../../src/errors.ts';
import { Layout } from '../../../src/layout/layout.ts';
import type { Digest } from '../../../src/oci/digest.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { save } from '../../../src/verbs/save/save.ts';
import { verify } from '../../../src/verbs/verify/verify.ts';
import { layoutFiles } from '../../gitlab/artifacts.ts';
import { fixtureArchive } from '../../support/fixtures.ts';
import type { SampleImage } from '../../../src/testing/sample-images.ts';
import {
  addSample,
  imageOf,
  sampleImage,
  sampleIndex,
  sampleReferrer,
} from '../../../src/testing/sample-images.ts';
import { everyChunkReported } from '../../support/every-chunk.ts';
import { listFiles } from '../../support/list-files.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const DAMAGE = ['DIGEST_MISMATCH', 'SIZE_MISMATCH', 'MALFORMED', 'NOT_FOUND', 'INCOMPLETE', 'TRUNCATED'];

async function makeLayout(fixture: string): Promise<string> {
  const path = join(await temporaryFolder(), 'layout');
  await save({ from: fixtureArchive(fixture), to: await Layout.create(path), compress: 'gzip' });
  return path;
}

/** What is wrong with a layout, whether it is noticed when it is opened or when it is verified. */
async function problemsOf(path: string): Promise<DrayageError[]> {
  try {
    return (await verify({ layout: await Layout.open(path) })).problems;
  } catch (error) {
    return [error as DrayageError];
  }
}

/** All positions of a small file, some of a larger one. */
function positions(size: number): number[] {
  const step = size < 40 ? 1 : Math.floor(size / 6);
  return [...new Set([...Array(Math.ceil(size / step)).keys()].map((i) => i * step).concat(size - 1))];
}

test.each(['docker-20.10.tar', 'docker-28-containerd-attestation.tar'])(
  '%s: a flipped byte in any blob or in oci-layout is found, and the file is named',
  async (fixture) => {
    const path = await makeLayout(fixture);
    expect(await problemsOf(path)).toEqual([]);
    const files = (await listFiles(path)).filter((file) => /^(oci-layout|blobs\/)/.test(file.path));
    expect(files.length).toBeGreaterThan(8);
    for (const { path: name, size } of files) {
      const file = join(path, name);
      const intact = await readFile(file);
      for (const position of positions(size)) {
        const damaged = Buffer.from(intact);
        damaged[position] = (damaged[position] ?? 0) ^ 0x01;
        await writeFile(file, damaged);
        const problems = await problemsOf(path);
        expect(problems.length, `${name} at ${position}`).toBeGreaterThan(0);
        expect(DAMAGE).toContain(problems[0]?.code);
        expect(problems[0]?.message, `${name} at ${position}`).toContain(name);
      }
      await writeFile(file, intact);
    }
    expect(await problemsOf(path)).toEqual([]);
  },
  // Hundreds of runs.
  180_000,
);

type Entry = { digest: string; size: number; mediaType: string };
test.each([
  ['digest', (entry: Entry) => ({ ...entry, digest: `sha256:${'0'.repeat(64)}` })],
  ['size', (entry: Entry) => ({ ...entry, size: entry.size + 1 })],
  ['media type', (entry: Entry) => ({ ...entry, mediaType: 'application/vnd.oci.image.index.v1+json' })],
  [
    'media type',
    (entry: Entry) => ({ ...entry, mediaType: 'application/vnd.docker.distribution.manifest.v2+json' }),
  ],
  ['media type', (entry: Entry) => ({ ...entry, mediaType: 'text/plain' })],
])('a changed %s in index.json is found', async (_, change) => {
  const path = await makeLayout('docker-20.10.tar');
  const file = join(path, 'index.json');
  const index = JSON.parse(await readFile(file, 'utf8')) as { manifests: Entry[] };
  const manifests = index.manifests.map((entry, i) => (i === 0 ? change(entry) : entry));
  await writeFile(file, JSON.stringify({ ...index, manifests }));
  const [problem] = await problemsOf(path);
  expect([...DAMAGE, 'UNSUPPORTED']).toContain(problem?.code);
});

function data(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? '').toString('base64');
}

function manifestOf({ blobs }: SampleImage): Uint8Array | undefined {
  return blobs.at(-1)?.[1];
}

describe('an entry that names content, and cannot be read, is a problem, though nobody asked for it:', () => {
  const [image, other] = [sampleImage(['a']), sampleImage(['b'])];
  const referrer = sampleReferrer(image.root);

  test.each<[string, SampleImage, object]>([
    ['embedded data of other content', other, { data: data(manifestOf(image)) }],
    ['embedded data of other content, in a referrer', referrer, { data: data(manifestOf(image)) }],
    ['embedded data of other content, in a blob', other, { ...other.config, data: data(manifestOf(image)) }],
    ['the start of the content', other, { data: data(manifestOf(other)?.subarray(0, 9)) }],
    ['embedded data that is no base64', other, { data: '*' }],
    ['embedded data that is no text', other, { data: 5 }],
    ['embedded data in another spelling', other, { Data: data(manifestOf(other)) }],
    ['an annotation that is no text', other, { annotations: { note: 5 } }],
    ['embedded data, beside an entry of the same content', image, { data: '*' }],
  ])('%s', async (_, damaged, stated) => {
    const layout = await layoutOf(image, other);
    await layout.update((transaction) => addSample(transaction, referrer));
    expect((await verify({ layout })).problems).toEqual([]);
    const file = join(layout.path, 'index.json');
    const index = JSON.parse(await readFile(file, 'utf8')) as { manifests: object[] };
    await writeFile(
      file,
      JSON.stringify({ ...index, manifests: [...index.manifests, { ...damaged.root, ...stated }] }),
    );
    expect((await verify({ layout })).problems).toMatchObject([
      { code: 'MALFORMED', message: expect.stringContaining('index.json') as string },
    ]);
  });

  test.each<[string, (embedded: object) => SampleImage]>([
    ['an index', (embedded) => sampleIndex([image], [{ ...other.root, ...embedded }])],
    [
      'an index in an index',
      (embedded) => sampleIndex([sampleIndex([image], [{ ...other.root, ...embedded }])]),
    ],
  ])('in %s', async (_, indexOf) => {
    for (const [text, codes] of [
      [data(manifestOf(other)), []],
      ['*', ['MALFORMED']],
    ] as const) {
      const { root, blobs } = indexOf({ data: text });
      const path = join(await temporaryFolder(), 'layout');
      for (const [name, bytes] of layoutFiles([...blobs, ...other.blobs], {
        folder: '.',
        manifests: [root],
      })) {
        await mkdir(dirname(join(path, name)), { recursive: true });
        await writeFile(join(path, name), bytes);
      }
      const layout = await Layout.open(path);
      expect((await verify({ layout })).problems.map(({ code }) => code)).toEqual(codes);
    }
  });
});

test.each([
  ['removed', (file: string) => rm(file)],
  ['cut short', async (file: string) => writeFile(file, (await readFile(file)).subarray(0, -1))],
  ['emptied', (file: string) => writeFile(file, '')],
])('a blob that was %s is found', async (_, damage) => {
  const path = await makeLayout('docker-20.10.tar');
  for (const { path: name } of (await listFiles(path)).filter((file) => file.path.startsWith('blobs/'))) {
    const file = join(path, name);
    const intact = await readFile(file);
    await damage(file);
    const [problem] = await problemsOf(path);
    expect(DAMAGE).toContain(problem?.code);
    expect(problem?.message).toContain(name);
    await writeFile(file, intact);
  }
});

test.each([
  ['cut short', async (file: string) => writeFile(file, (await readFile(file)).subarray(0, 10))],
  ['removed', (file: string) => rm(file)],
])('a manifest inside an index that was %s is found', async (_, damage) => {
  const path = await makeLayout('docker-28-containerd-platforms.tar');
  const [image] = await (await Layout.open(path)).images();
  const root = join(path, 'blobs/sha256', image?.root.digest.slice(7) ?? '');
  const index = JSON.parse(await readFile(root, 'utf8')) as { manifests: { digest: string }[] };
  const name = `blobs/sha256/${index.manifests[1]?.digest.slice(7)}`;
  await damage(join(path, name));
  const [problem] = await problemsOf(path);
  expect(problem?.message).toContain(name);
});

test('every problem is named, not only the first', async () => {
  const path = await makeLayout('docker-20.10.tar');
  const layers = (await listFiles(path)).filter((file) => file.path.startsWith('blobs/')).slice(0, 3);
  for (const { path: name } of layers) await rm(join(path, name));
  expect((await problemsOf(path)).length).toBeGreaterThan(1);
});

test('a damaged manifest inside an index hides no problem of the images beside it', async () => {
  const [first, second] = [sampleImage(['a']), sampleImage(['b'], 'arm64')];
  const index = sampleIndex([first, second]);
  const layout = await Layout.create(join(await temporaryFolder(), 'layout'));
  await layout.update((transaction) => addSample(transaction, index, ['app:1']));
  const damaged = [first.root, ...second.layers];
  for (const { digest, size } of damaged)
    await writeFile(join(layout.path, 'blobs', digest.replace(':', '/')), Buffer.alloc(size, 'x'));
  const { problems } = await verify({ layout });
  expect(problems.map(({ facts }) => facts.digest)).toEqual(damaged.map(({ digest }) => digest));
});

test('an intact blob that holds another layer than the config names is found, in each image with that config', async () => {
  const [diffId = ''] = sampleImage(['a']).diffIds;
  const images = ['b', 'c'].map((text) => imageOf([[diffId as Digest, gzipSync(text)]]));
  expect(images[0]?.config.digest).toBe(images[1]?.config.digest);
  const layout = await Layout.create(join(await temporaryFolder(), 'layout'));
  await layout.update((transaction) => addSample(transaction, sampleIndex(images), ['app:1']));
  const { problems } = await verify({ layout });
  expect(problems).toMatchObject(
    images.map(() => ({ code: 'DIGEST_MISMATCH', facts: { expected: diffId } })),
  );
});

test('an image of two names is read once', async () => {
  const image = sampleImage(['a', 'b']);
  const layout = await Layout.create(join(await temporaryFolder(), 'layout'));
  await layout.update((transaction) => addSample(transaction, image, ['app:1', 'app:2']));
  const { entries, blobs, bytes } = await verify({ layout });
  const size = image.blobs.reduce((sum, [blob]) => sum + blob.size, 0);
  expect({ entries, blobs, bytes }).toEqual({ entries: 2, blobs: 4, bytes: size });
});

describe('manifest.json, by which docker load takes the images,', () => {
  type Item = { Config: string; RepoTags: string[] | null; Layers: string[] };
  const other = `blobs/sha256/${'0'.repeat(64)}`;

  test.each<[string, (items: Item[]) => unknown]>([
    ['gives an image a name that it has not', ([one]) => [{ ...one, RepoTags: ['other:1'] }]],
    [
      'names an image that is not indexed',
      (items) => [...items, { Config: other, RepoTags: null, Layers: [] }],
    ],
    ['has other layers', ([one]) => [{ ...one, Layers: one?.Layers.map(() => other) }]],
    ['is none', () => ({})],
  ])('is a problem where it %s', async (_, change) => {
    const path = await makeLayout('docker-20.10.tar');
    const file = join(path, 'manifest.json');
    const items = JSON.parse(await readFile(file, 'utf8')) as Item[];
    await writeFile(file, JSON.stringify(change(items)));
    expect(await problemsOf(path)).toMatchObject([
      { code: 'MALFORMED', message: expect.stringContaining('manifest.json') as string },
    ]);
  });

  test('may be absent, or name fewer', async () => {
    const path = await makeLayout('docker-20.10.tar');
    const file = join(path, 'manifest.json');
    const [one] = JSON.parse(await readFile(file, 'utf8')) as Item[];
    await writeFile(file, JSON.stringify([{ ...one, RepoTags: null }]));
    expect(await problemsOf(path)).toEqual([]);
    await rm(file);
    expect(await problemsOf(path)).toEqual([]);
  });
});

async function layoutOf(...images: SampleImage[]): Promise<Layout> {
  const layout = await Layout.create(join(await temporaryFolder(), 'layout'));
  await layout.update(async (transaction) => {
    for (const [i, image] of images.entries()) await addSample(transaction, image, [`app:${i}`]);
  });
  return layout;
}

describe('a refusal', () => {
  test('of one image hides none of the others, and is no problem of the content', async () => {
    const [first, second] = [sampleImage(['a']), sampleImage(['b'])];
    const layout = await layoutOf(first, second);
    const { problems, images } = await verify({
      layout,
      policy: originPolicy({ pipeline: ['2'] }),
      authenticate: async () => [],
    });
    expect(problems).toEqual([]);
    expect(images.map(({ image, refusal }) => [image.root.digest, refusal?.code])).toEqual([
      [first.root.digest, 'POLICY'],
      [second.root.digest, 'POLICY'],
    ]);
  });

  test('by the config is told, as when the image is loaded', async () => {
    const { images } = await verify({ layout: await layoutOf(sampleImage(['a'])), policy: byConfig });
    expect(images).toMatchObject([{ refusal: { code: 'POLICY', message: 'its config' } }]);
  });

  test('cannot come of a config that is damaged: that is a problem of the content', async () => {
    const image = sampleImage(['a']);
    const layout = await layoutOf(image);
    const { digest, size } = image.config;
    await writeFile(join(layout.path, 'blobs', digest.replace(':', '/')), Buffer.alloc(size, 'x'));
    const { problems, images } = await verify({ layout, policy: byConfig });
    expect(problems).toMatchObject([{ code: 'DIGEST_MISMATCH' }]);
    expect(images).toMatchObject([{ refusal: null }]);
  });

  const byConfig: ImagePolicy = {
    choose: (images) => [...images],
    check: () => {
      throw new DrayageError('POLICY', 'its config');
    },
  };
});

test('progress moves within a large blob, and ends at the size of what was checked', async () => {
  const layout = await Layout.create(join(await temporaryFolder(), 'layout'));
  const content = Buffer.alloc(3_000_000);
  const large = imageOf([[digestOf(content), gzipSync(content, { level: 0 })]]);
  await layout.update((transaction) => addSample(transaction, large, ['app:1']));
  everyChunkReported();
  const read: number[] = [];
  const { bytes } = await verify({
    layout: await Layout.open(layout.path),
    onProgress: (event) => void (event.kind === 'bytes' && read.push(event.bytes)),
  });
  expect(read.reduce((sum, one) => sum + one, 0)).toBe(bytes);
  expect(Math.max(...read)).toBeLessThan(1_000_000);
});

test('an index of blobs, as BuildKit exports its cache, is intact; a damaged or absent blob is one problem', async () => {
  const path = join(await temporaryFolder(), 'layout');
  const layout = await Layout.create(path);
  const app = sampleImage(['app']);
  const [listed, ...others] = sampleImage(['cached', 'again']).blobs.filter(([{ mediaType }]) =>
    mediaType.endsWith('gzip'),
  );
  if (listed === undefined || others[0] === undefined) throw new Error('no layers');
  const cache = sampleIndex([{ ...app, root: listed[0], blobs: [listed, ...others] }], [others[0][0]]);
  await layout.update(async (transaction) => {
    await addSample(transaction, app, ['app:1']);
    await addSample(transaction, cache);
  });
  const found = await verify({ layout });
  expect(found).toMatchObject({ problems: [], entries: 2, blobs: 3 + 3 });
  await writeFile(join(path, 'blobs', listed[0].digest.replace(':', '/')), Buffer.alloc(listed[0].size));
  await rm(join(path, 'blobs', others[0][0].digest.replace(':', '/')));
  const { problems } = await verify({ layout });
  expect(problems.map(({ code }) => code).toSorted()).toEqual(['DIGEST_MISMATCH', 'NOT_FOUND']);
});

test('documents are read no more often for many names than for one', async () => {
  const [image, other] = [sampleImage(['base', 'app']), sampleImage(['base', 'other'], 'arm64')];
  const openedFor = async (n: number): Promise<string[]> => {
    const made = await Layout.create(join(await temporaryFolder(), 'layout'));
    await made.update(async (content) => {
      const names = Array.from({ length: n }, (_, i) => `app:${i}`);
      await addSample(content, sampleIndex([image, other]), names);
      await addSample(content, image, ['single:1']);
    });
    const layout = await Layout.open(made.path);
    const open = vi.spyOn(layout, 'open');
    expect(await verify({ layout, policy: originPolicy({}) })).toMatchObject({
      entries: n + 1,
      problems: [],
    });
    return open.mock.calls.map(([{ digest }]) => digest).toSorted();
  };
  expect(await openedFor(20)).toEqual(await openedFor(1));
});
