import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { images as imagesOf } from '../../src/image/image.ts';
import { DrayageError } from '../../src/errors.ts';
import { Layout } from '../../src/layout/layout.ts';
import { load } from '../../src/verbs/load/load.ts';
import { merge } from '../../src/verbs/merge.ts';
import { BASE_JOBS, OMITTED_LAYERS, ORIGINAL_INDEX } from '../../src/image/annotations.ts';
import { baseJobsAnnotation, baseJobsOf } from '../../src/image/base-jobs.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { save } from '../../src/verbs/save/save.ts';
import { verify } from '../../src/verbs/verify/verify.ts';
import { blobName } from '../../src/oci/layout.ts';
import { snapshot } from '../layout/folders.ts';
import type { SampleImage } from '../../src/testing/sample-images.ts';
import { addSample, sampleImage, sampleIndex, sampleReferrer } from '../../src/testing/sample-images.ts';
import { MemoryEndpoint } from '../support/memory-endpoint.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const AMD = sampleImage(['base', 'app'], 'amd64');
const ARM = sampleImage(['base', 'arm'], 'arm64');
const TOOLS = sampleImage(['base', 'tools']);
const PLATFORMS = sampleIndex([AMD, ARM]);

interface Added {
  image: SampleImage;
  names?: string[];
  annotations?: Record<string, string>;
  without?: Descriptor[];
}

async function layoutOf(...added: Added[]): Promise<Layout> {
  const layout = await emptyLayout();
  await layout.update(async (transaction) => {
    for (const { image, names, annotations, without } of added)
      await addSample(transaction, image, names, annotations, without);
  });
  return layout;
}

async function emptyLayout(): Promise<Layout> {
  return Layout.create(join(await temporaryFolder(), 'layout'));
}

async function platformsOf(layout: Layout, name: string): Promise<string[]> {
  const [{ root }] = await layout.resolve(name);
  const found: string[] = [];
  for await (const { config } of imagesOf(layout, root)) found.push(config.value.architecture);
  return found;
}

test('layouts become one: all images with names and annotations, what they share once', async () => {
  const first = await layoutOf({ image: AMD, names: ['app:1'], annotations: { note: 'a' } });
  const second = await layoutOf({ image: TOOLS, names: ['tools:1'] }, { image: AMD, names: ['app:2'] });
  const to = await emptyLayout();
  const { layout, images, bytes } = await merge({ from: [first, second], to });
  expect(layout).toBe(to.path);
  expect(images.map(({ name, digest, platforms }) => [name, digest, platforms])).toEqual([
    ['app:1', AMD.root.digest, ['linux/amd64']],
    ['tools:1', TOOLS.root.digest, ['linux/amd64']],
  ]);
  expect(await to.images()).toMatchObject([
    { names: ['app:1', 'app:2'], annotations: { note: 'a' } },
    { names: ['tools:1'] },
  ]);
  const blobs = new Map(
    [...AMD.layers, ...TOOLS.layers, AMD.config, TOOLS.config].map(({ digest, size }) => [digest, size]),
  );
  const total = [...blobs.values()].reduce((sum, size) => sum + size, 0);
  expect(bytes).toEqual({ copied: total, reused: 0, total });
  expect((await verify({ layout: to })).problems).toEqual([]);
});

test('one name of several platforms is one image index, whatever the order and the folder', async () => {
  const amd = await layoutOf({ image: AMD, names: ['app:1'] });
  const arm = await layoutOf({ image: ARM, names: ['app:1'] });
  const [to, turned] = [await emptyLayout(), await emptyLayout()];
  const { images } = await merge({ from: [amd, arm], to });
  expect(images).toMatchObject([
    { name: 'app:1', platforms: ['linux/amd64', 'linux/arm64'], id: AMD.config.digest },
  ]);
  expect(images[0]?.ref).toBe(`app:drayage-${images[0]?.digest.slice(7, 19)}`);
  const again = await merge({ from: [arm, amd], to: turned });
  expect(again.images).toMatchObject([{ digest: images[0]?.digest }]);
  expect(await platformsOf(to, 'app:1')).toEqual(['amd64', 'arm64']);
  expect((await verify({ layout: to })).problems).toEqual([]);
});

test('merging once more copies nothing and changes nothing', async () => {
  const from = [
    await layoutOf({ image: AMD, names: ['app:1'] }),
    await layoutOf({ image: ARM, names: ['app:1'] }),
  ];
  const to = await emptyLayout();
  await merge({ from, to });
  const before = snapshot(to.path);
  const { bytes } = await merge({ from, to });
  expect(bytes).toMatchObject({ copied: 0, reused: bytes.total });
  expect(snapshot(to.path)).toEqual(before);
});

test('an index is merged by what it lists, attestations with all that is said of them', async () => {
  const unknown = { os: 'unknown', architecture: 'unknown' };
  const note = sampleReferrer(AMD.root, 'attestation');
  const attestation = {
    ...note.root,
    platform: unknown,
    annotations: { 'vnd.docker.reference.digest': AMD.root.digest },
  };
  const built = sampleIndex([AMD], [attestation]);
  const withNote = { ...built, blobs: [...built.blobs, ...note.blobs] };
  const from = [
    await layoutOf({ image: withNote, names: ['app:1'] }),
    await layoutOf({ image: ARM, names: ['app:1'] }),
  ];
  const to = await emptyLayout();
  const { images } = await merge({ from, to });
  expect(images[0]?.platforms).toEqual(['linux/amd64', 'linux/arm64']);
  const [{ root }] = await to.resolve('app:1');
  const index = JSON.parse(await readFile(join(to.path, 'blobs/sha256', root.digest.slice(7)), 'utf8')) as {
    manifests: Descriptor[];
  };
  expect(index.manifests.map(({ digest }) => digest)).toEqual([
    AMD.root.digest,
    ARM.root.digest,
    note.root.digest,
  ]);
  expect(index.manifests[2]).toMatchObject({ platform: unknown, annotations: attestation.annotations });
});

test.each<[string, Descriptor[]]>([
  ['a platform', [ARM.root]],
  ['a config', [ARM.config]],
  ['the layer of one platform', ARM.layers.slice(1)],
])('of an index without %s what is present is merged, as a save takes it', async (_, without) => {
  const from = await layoutOf({ image: PLATFORMS, names: ['app:1'] });
  for (const { digest } of without) await rm(join(from.path, blobName(digest)));
  const [merged, saved] = [await emptyLayout(), await emptyLayout()];
  const { images } = await merge({ from: [from], to: merged });
  expect(images).toMatchObject([{ id: AMD.config.digest, platforms: ['linux/amd64'] }]);
  await save({ from, to: saved });
  expect(await merged.images()).toMatchObject([
    {
      root: { digest: AMD.root.digest },
      names: ['app:1'],
      annotations: { [ORIGINAL_INDEX]: PLATFORMS.root.digest },
    },
  ]);
  expect((await merged.images()).map(({ root }) => root.digest)).toEqual(
    (await saved.images()).map(({ root }) => root.digest),
  );
  expect((await verify({ layout: merged })).problems).toEqual([]);
});

test('what one layout lacks of an index, another one has: the index stays as it is', async () => {
  const from = await layoutOf({ image: PLATFORMS, names: ['app:1'] });
  for (const { digest } of [ARM.root, ...ARM.layers.slice(1)]) await rm(join(from.path, blobName(digest)));
  const other = await layoutOf({ image: ARM, names: ['arm:1'] });
  const to = await emptyLayout();
  await merge({ from: [from, other], to });
  expect((await to.resolve('app:1'))[0].root.digest).toBe(PLATFORMS.root.digest);
  expect((await verify({ layout: to })).problems).toEqual([]);
});

test('different images of one platform are refused with both, and nothing is made', async () => {
  const from = [
    await layoutOf({ image: AMD, names: ['app:1'] }),
    await layoutOf({ image: TOOLS, names: ['app:1'] }),
    await layoutOf({ image: ARM, names: ['app:1'] }),
  ];
  const to = await emptyLayout();
  await expect(merge({ from, to })).rejects.toMatchObject({
    code: 'AMBIGUOUS',
    message: expect.stringContaining('app:1 means two images') as string,
    facts: {
      candidates: expect.arrayContaining([AMD.root.digest, TOOLS.root.digest]) as string[],
      reason: 'TWO_IMAGES',
    },
  });
  expect(snapshot(join(to.path, '..'))).toEqual([]);
  const { images } = await merge({ from, to, images: [AMD.root.digest, ARM.root.digest] });
  expect(images.map(({ platforms }) => platforms)).toEqual([['linux/amd64', 'linux/arm64']]);
});

test('what refers to an image, or to a part of a merged one, comes with it', async () => {
  const signature = sampleReferrer(AMD.root);
  const onSignature = sampleReferrer(signature.root, 'countersigned');
  const other = sampleReferrer(TOOLS.root, 'other');
  const from = [
    await layoutOf({ image: AMD, names: ['app:1'] }, { image: signature }, { image: other }),
    await layoutOf({ image: ARM, names: ['app:1'] }, { image: onSignature }),
  ];
  const to = await emptyLayout();
  await merge({ from, to });
  expect((await to.referrers(AMD.root)).map(({ digest }) => digest)).toEqual([signature.root.digest]);
  expect((await to.referrers(signature.root)).map(({ digest }) => digest)).toEqual([onSignature.root.digest]);
  expect(await to.referrers(TOOLS.root)).toEqual([]);
});

test('layers that were left out on purpose stay out, and that stays told', async () => {
  const thin = { annotations: { [OMITTED_LAYERS]: '1' } };
  const from = [
    await layoutOf({ image: AMD, names: ['app:1'], ...thin, without: AMD.layers.slice(0, 1) }),
    await layoutOf({ image: ARM, names: ['app:1'], ...thin, without: ARM.layers.slice(0, 1) }),
  ];
  const to = await emptyLayout();
  await merge({ from, to });
  const [image] = await to.resolve('app:1');
  expect(image.annotations).toMatchObject({ [OMITTED_LAYERS]: '1' });
  expect(await to.has(AMD.layers[0] ?? expect.fail())).toBe(false);
  expect(await to.has(AMD.layers[1] ?? expect.fail())).toBe(true);
});

/** An image whose layer is in the artifact of a job. */
function inJob(image: SampleImage, layer: Descriptor | undefined, job: string): Added {
  if (layer === undefined) return { image, names: ['app:1'] };
  const place = { server: 'https://gitlab.example', project: '12', job, path: `.drayage/${job}` };
  const annotations = { [BASE_JOBS]: baseJobsAnnotation(new Map([[layer.digest, place]])) ?? expect.fail() };
  return { image, names: ['app:1'], annotations, without: [layer] };
}

test.each<[string, Added, Added, [Descriptor | undefined, string][]]>([
  [
    'of jobs of their own',
    inJob(AMD, AMD.layers[1], '1'),
    inJob(ARM, ARM.layers[1], '2'),
    [
      [AMD.layers[1], '1'],
      [ARM.layers[1], '2'],
    ],
  ],
  [
    'of one job',
    inJob(AMD, AMD.layers[1], '1'),
    inJob(ARM, ARM.layers[1], '1'),
    [
      [AMD.layers[1], '1'],
      [ARM.layers[1], '1'],
    ],
  ],
  [
    'of a job, and of none',
    inJob(AMD, AMD.layers[1], '1'),
    inJob(ARM, undefined, ''),
    [[AMD.layers[1], '1']],
  ],
  ['of a job, and here', inJob(AMD, AMD.layers[0], '1'), inJob(ARM, undefined, ''), []],
])('layers of two platforms in the artifacts %s stay there', async (_, amd, arm, expected) => {
  const from = [await layoutOf(amd), await layoutOf(arm)];
  const to = await emptyLayout();
  await merge({ from, to });
  expect(await platformsOf(to, 'app:1')).toEqual(['amd64', 'arm64']);
  const [image] = await to.resolve('app:1');
  const jobs = [...baseJobsOf(image)].map(([digest, { job }]) => [digest, job] as const);
  expect(new Map(jobs)).toEqual(new Map(expected.map(([blob, job]) => [blob?.digest, job])));
  for (const [blob = expect.fail()] of expected) expect(await to.has(blob)).toBe(false);
  expect((await verify({ layout: to })).problems).toEqual([]);
});

test('layers that another of the layouts holds are not left out any more', async () => {
  const base = await layoutOf({ image: AMD, names: ['base:1'] });
  const annotations = { [OMITTED_LAYERS]: '1' };
  const thin = { image: TOOLS, names: ['app:1'], annotations, without: TOOLS.layers.slice(0, 1) };
  expect(TOOLS.layers[0]?.digest).toBe(AMD.layers[0]?.digest);
  const to = await emptyLayout();
  await merge({ from: [await layoutOf(thin), base], to, images: ['app:1'] });
  const [{ annotations: said }] = await to.resolve('app:1');
  expect(said).not.toHaveProperty([OMITTED_LAYERS]);
  for (const layer of TOOLS.layers) expect(await to.has(layer)).toBe(true);
});

test('a damaged blob is an error that names it, and nothing is made', async () => {
  const layout = await layoutOf({ image: AMD, names: ['app:1'] });
  const [, damaged = expect.fail()] = AMD.layers;
  await writeFile(
    join(layout.path, 'blobs/sha256', damaged.digest.slice(7)),
    Buffer.alloc(damaged.size, 'x'),
  );
  const to = await emptyLayout();
  await expect(merge({ from: [layout], to })).rejects.toMatchObject({
    code: 'DIGEST_MISMATCH',
    message: expect.stringContaining(damaged.digest.slice(7)) as string,
  });
  expect(snapshot(join(to.path, '..'))).toEqual([]);
});

test('what the target holds stays, and a name moves', async () => {
  const to = await layoutOf({ image: TOOLS, names: ['app:1', 'tools:1'] });
  await merge({
    from: [
      await layoutOf({ image: AMD, names: ['app:1'] }),
      await layoutOf({ image: ARM, names: ['app:1'] }),
    ],
    to,
  });
  expect(await platformsOf(to, 'app:1')).toEqual(['amd64', 'arm64']);
  expect((await to.resolve('tools:1'))[0].root.digest).toBe(TOOLS.root.digest);
  await merge({ from: [await layoutOf({ image: ARM, names: ['app:1'] })], to, annotations: { by: 'me' } });
  expect((await to.resolve('app:1'))[0]).toMatchObject({
    root: { digest: ARM.root.digest },
    annotations: { by: 'me' },
  });
});

test('a layout takes in another one', async () => {
  const to = await layoutOf({ image: AMD, names: ['app:1'] });
  const other = await layoutOf({ image: ARM, names: ['app:1'] });
  const { bytes } = await merge({ from: [to, other], to });
  expect(await platformsOf(to, 'app:1')).toEqual(['amd64', 'arm64']);
  expect(bytes.copied).toBe((ARM.layers[1]?.size ?? 0) + ARM.config.size);
  expect((await to.images()).map(({ names }) => names)).toEqual([['app:1']]);
});

test('several layouts are loaded as if they were merged: a daemon gets the same image', async () => {
  const from = [
    await layoutOf({ image: AMD, names: ['app:1'] }),
    await layoutOf({ image: ARM, names: ['app:1'] }),
  ];
  const { images } = await merge({ from, to: await emptyLayout() });
  const daemon = new MemoryEndpoint({ os: 'linux', architecture: 'arm64' });
  const loaded = await load({ from, to: daemon });
  expect(loaded.images).toMatchObject([
    { name: 'app:1', digest: images[0]?.digest, ref: images[0]?.ref, id: ARM.config.digest },
  ]);
  expect(daemon.loads.map(({ root }) => root.digest)).toEqual([images[0]?.digest]);
});

test('who made each image is asked before any is merged, of each as it is in its layout', async () => {
  const from = [
    await layoutOf({ image: AMD, names: ['app:1'] }),
    await layoutOf({ image: ARM, names: ['app:1'] }),
  ];
  const to = await emptyLayout();
  const asked: unknown[] = [];
  const merging = merge({
    from,
    to,
    authenticate: async ({ root }, place) => {
      asked.push([root.digest, place]);
      if (asked.length === 2) throw new DrayageError('POLICY', 'of nobody');
      return [];
    },
  });
  await expect(merging).rejects.toMatchObject({ code: 'POLICY' });
  expect(asked).toEqual([
    [AMD.root.digest, from[0]],
    [ARM.root.digest, from[1]],
  ]);
  expect(snapshot(join(to.path, '..'))).toEqual([]);
});

test('an abort ends it, and nothing is made', async () => {
  const to = await emptyLayout();
  const controller = new AbortController();
  const merging = merge({
    from: [await layoutOf({ image: AMD, names: ['app:1'] })],
    to,
    signal: controller.signal,
    onProgress: () => controller.abort(new Error('enough')),
  });
  await expect(merging).rejects.toThrow('enough');
  expect(snapshot(join(to.path, '..'))).toEqual([]);
});
