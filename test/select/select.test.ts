import { describe, expect, test } from 'vitest';
import type { Authenticate, ImagePolicy } from '../../src/content/policy.ts';
import { DrayageError } from '../../src/errors.ts';
import { Layout } from '../../src/layout/layout.ts';
import { OMITTED_LAYERS, ORIGINAL_INDEX } from '../../src/image/annotations.ts';
import type { Platform } from '../../src/oci/platform.ts';
import { images as imagesOf } from '../../src/image/image.ts';
import { findByReference, joinPlaces } from '../../src/select/places.ts';
import { select, selectEach } from '../../src/select/select.ts';
import type { SelectedImage } from '../../src/select/selection.ts';
import { toDocument } from '../../src/oci/manifest.ts';
import { OCI_MANIFEST } from '../../src/oci/media-types.ts';
import { once } from '../../src/stream/tap.ts';
import type { SampleImage } from '../../src/testing/sample-images.ts';
import { addSample, sampleImage, sampleIndex, sampleReferrer } from '../../src/testing/sample-images.ts';
import { registryOf } from '../registry/registries.ts';
import { FakeRegistry } from '../support/fake-registry.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const APP = sampleImage(['base', 'app']);
const TOOLS = sampleImage(['base', 'tools']);

async function layoutOf(...images: [SampleImage, ...string[]][]): Promise<Layout> {
  const layout = await Layout.create(`${await temporaryFolder()}/layout`);
  await layout.update(async (transaction) => {
    for (const [image, ...names] of images) await addSample(transaction, image, names);
  });
  return layout;
}

function digests(chosen: Awaited<ReturnType<typeof select>>): string[] {
  return chosen.map(({ image }) => image.root.digest);
}

test('without references all images of all places are chosen, in order, each with its place', async () => {
  const first = await layoutOf([APP, 'app:1']);
  const second = await layoutOf([TOOLS]);
  const chosen = await select([first, second]);
  expect(chosen.map(({ place }) => place)).toEqual([first, second]);
  expect(digests(chosen)).toEqual([APP.root.digest, TOOLS.root.digest]);
});

test('an image in two places is chosen once', async () => {
  const places = [await layoutOf([APP, 'app:1']), await layoutOf([APP, 'app:1'])];
  expect(digests(await select(places))).toEqual([APP.root.digest]);
  expect(digests(await select(places, { images: ['app:1', APP.config.digest] }))).toEqual([APP.root.digest]);
});

test.each([
  ['its name', 'tools:1'],
  ['its full name', 'docker.io/library/tools:1'],
  ['its digest', TOOLS.root.digest],
  ["its config's digest", TOOLS.config.digest],
  ['a short digest', TOOLS.config.digest.slice(7, 19)],
])('an image is chosen by %s, whichever place has it', async (_, reference) => {
  const places = [await layoutOf([APP, 'app:1']), await layoutOf([TOOLS, 'tools:1'])];
  const chosen = await select(places, { images: [reference] });
  expect(digests(chosen)).toEqual([TOOLS.root.digest]);
  expect(chosen[0]?.place).toBe(places[1]);
});

test('the order is that of the references', async () => {
  const place = await layoutOf([APP, 'app:1'], [TOOLS, 'tools:1']);
  expect(digests(await select([place], { images: ['tools:1', 'app:1'] }))).toEqual([
    TOOLS.root.digest,
    APP.root.digest,
  ]);
});

test('what no place has is an error with the names of all of them', async () => {
  const places = [await layoutOf([APP, 'app:1']), await layoutOf([TOOLS, 'app:2'])];
  await expect(select(places, { images: ['app:3'] })).rejects.toMatchObject({
    code: 'NOT_FOUND',
    message: expect.stringContaining('"app:3"') as string,
    facts: { candidates: ['app:1', 'app:2'] },
  });
});

test('one name for different images in different places is ambiguous', async () => {
  const places = [await layoutOf([APP, 'app:1']), await layoutOf([TOOLS, 'app:1'])];
  const expected = { code: 'AMBIGUOUS', facts: { candidates: [APP.root.digest, TOOLS.root.digest] } };
  await expect(select(places)).rejects.toMatchObject(expected);
  await expect(select(places, { images: ['app:1'] })).rejects.toMatchObject(expected);
  await expect(select([joinPlaces(places)], { images: ['app:1'] })).rejects.toMatchObject(expected);
  expect(digests(await select(places, { images: [TOOLS.root.digest] }))).toEqual([TOOLS.root.digest]);
});

async function chosenOf(places: Layout[], references?: string[]): Promise<SelectedImage> {
  const [only, ...others] = await select(places, { images: references });
  expect(others).toEqual([]);
  return only ?? expect.fail('nothing chosen');
}

/** A layout of one job, whose image lacks its first layers. */
async function said(image: SampleImage, job: string, omitted: number): Promise<Layout> {
  const layout = await Layout.create(`${await temporaryFolder()}/layout`);
  const annotations = {
    'dev.drayage.gitlab.pipeline-id': '4711',
    'dev.drayage.gitlab.job-id': job,
    ...(omitted > 0 && { [OMITTED_LAYERS]: String(omitted) }),
  };
  await layout.update((transaction) =>
    addSample(transaction, image, ['app:1'], annotations, image.layers.slice(0, omitted)),
  );
  return layout;
}

describe('one name for images of several platforms', () => {
  const ARM = sampleImage(['base', 'arm'], 'arm64');

  test.each([
    ['of several places', async () => [await layoutOf([APP, 'app:1']), await layoutOf([ARM, 'app:1'])]],
    [
      'of one place',
      async () => [
        await layoutOf(
          [{ ...APP, root: { ...APP.root, platform: { os: 'linux', architecture: 'amd64' } } }, 'app:1'],
          [{ ...ARM, root: { ...ARM.root, platform: { os: 'linux', architecture: 'arm64' } } }, 'app:1'],
        ),
      ],
    ],
  ])('%s makes one image, whose content is all there', async (_, make) => {
    const places = await make();
    const { place, image } = await chosenOf(places);
    expect(image.names).toEqual(['app:1']);
    expect(await place.has(image.root)).toBe(true);
    const found = [];
    for await (const { manifest, layers } of imagesOf(place, image.root)) {
      found.push(manifest.descriptor.digest);
      for (const { blob } of layers) expect(await place.has(blob)).toBe(true);
    }
    expect(found).toEqual([APP.root.digest, ARM.root.digest]);
    expect((await chosenOf(places.toReversed(), ['app:1'])).image.root).toEqual(image.root);
    expect((await chosenOf(places, [ARM.config.digest])).image.root.digest).toBe(ARM.root.digest);
  });

  test('is still apart for who looks what is there', async () => {
    const places = [await layoutOf([APP, 'app:1']), await layoutOf([ARM, 'app:1'])];
    const found = await selectEach(places, { images: ['app:1'] });
    expect(found.map(({ image }) => image.root.digest)).toEqual([APP.root.digest, ARM.root.digest]);
  });

  test('leaves each image the names that it has alone', async () => {
    const places = [
      await layoutOf([APP, 'app:1', 'amd:1', 'app:2']),
      await layoutOf([ARM, 'app:1', 'app:2']),
    ];
    const chosen = await select(places);
    expect(chosen.map(({ image }) => image.names)).toEqual([['app:1', 'app:2'], ['amd:1']]);
    expect(chosen[1]?.image.root.digest).toBe(APP.root.digest);
  });

  test('says of the whole what is true of all parts', async () => {
    const { image } = await chosenOf([await said(APP, '1', 1), await said(ARM, '2', 1)]);
    expect(image.annotations).toEqual({
      'dev.drayage.gitlab.pipeline-id': '4711',
      [OMITTED_LAYERS]: '1',
    });
  });

  test('is the one for the platform that is asked for', async () => {
    const [amd64, arm64] = [platformOf('amd64'), platformOf('arm64')];
    const place = await layoutOf(
      [{ ...APP, root: { ...APP.root, platform: amd64 } }, 'app:1'],
      [{ ...ARM, root: { ...ARM.root, platform: arm64 } }, 'app:1'],
    );
    for (const images of [undefined, ['app:1']]) {
      const [chosen, ...others] = await select([place], { images, platform: arm64 });
      expect(others).toEqual([]);
      expect(chosen).toMatchObject({ root: ARM.root, image: { names: ['app:1'], root: ARM.root } });
    }
  });

  test('is refused where the parts leave out different layers', async () => {
    const places = [await said(APP, '1', 1), await said(ARM, '2', 0)];
    await expect(select(places)).rejects.toMatchObject({
      code: 'UNSAFE',
      message: expect.stringContaining('1 of another layout, none') as string,
    });
  });

  test('is refused where the policy refuses one of them', async () => {
    const places = [await layoutOf([APP, 'app:1']), await layoutOf([ARM, 'app:1'])];
    const policy: ImagePolicy = {
      choose: (images) => [...images],
      check: (_, { architecture }) => {
        if (architecture === 'arm64') throw new DrayageError('POLICY', 'no arm');
      },
    };
    await expect(select(places, { policy })).rejects.toMatchObject({ code: 'POLICY' });
  });
});

test('of an image that one place holds thin, that one tells which holds all of it', async () => {
  const thin = await Layout.create(`${await temporaryFolder()}/layout`);
  await thin.update((transaction) =>
    addSample(transaction, APP, ['app:1'], { [OMITTED_LAYERS]: '1' }, APP.layers.slice(0, 1)),
  );
  const [chosen, ...others] = await select([thin, await layoutOf([APP, 'app:2'])]);
  expect(others).toEqual([]);
  expect(chosen?.image).toMatchObject({ names: ['app:1', 'app:2'], annotations: {} });
  expect(chosen?.image.annotations).not.toHaveProperty([OMITTED_LAYERS]);
  expect(await chosen?.place.has(APP.layers[0] ?? expect.fail())).toBe(true);
});

test('places without an image are an error', async () => {
  const empty = await Layout.create(`${await temporaryFolder()}/layout`);
  await expect(select([empty])).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await expect(select([])).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

test('joined places are one: all images, content from whichever has it, each referrer once', async () => {
  const signature = sampleReferrer(APP.root);
  const first = await layoutOf([APP, 'app:1'], [signature]);
  const second = await layoutOf([TOOLS, 'tools:1'], [APP], [signature]);
  const joined = joinPlaces([first, second]);
  expect((await joined.images()).map(({ names }) => names)).toEqual([['app:1'], ['tools:1'], []]);
  expect((await joined.resolve('tools:1'))[0].root.digest).toBe(TOOLS.root.digest);
  expect(await joined.has(TOOLS.config)).toBe(true);
  expect((await joined.referrers(APP.root)).map(({ digest }) => digest)).toEqual([signature.root.digest]);
  await expect(joined.resolve('none:1')).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

/** Refuses whatever goes by one of these names. */
function refusing(...names: string[]): ImagePolicy {
  return {
    choose: (images, note) => {
      const accepted = images.filter((image) => !image.names.some((name) => names.includes(name)));
      if (accepted.length === 0 && images.length > 0) throw new DrayageError('POLICY', 'refused');
      if (accepted.length < images.length) note('left out');
      return accepted;
    },
    check: () => {},
  };
}

test('what a policy leaves out is not chosen, and a line says so', async () => {
  const place = await layoutOf([APP, 'app:1'], [TOOLS, 'tools:1']);
  const notes: string[] = [];
  const chosen = await select([place], {
    policy: refusing('app:1'),
    onProgress: (event) => event.kind === 'note' && notes.push(event.message),
  });
  expect(digests(chosen)).toEqual([TOOLS.root.digest]);
  expect(notes).toEqual(['left out']);
});

test('what is left out makes no name ambiguous', async () => {
  const places = [await layoutOf([APP, 'app:1', 'old:1']), await layoutOf([TOOLS, 'app:1'])];
  expect(digests(await select(places, { images: ['app:1'], policy: refusing('old:1') }))).toEqual([
    TOOLS.root.digest,
  ]);
});

test('an image that was asked for by its name is never just left out', async () => {
  const place = await layoutOf([APP, 'app:1'], [TOOLS, 'tools:1']);
  const asked = select([place], { images: ['app:1', 'tools:1'], policy: refusing('app:1') });
  await expect(asked).rejects.toMatchObject({ code: 'POLICY' });
});

function platformOf(architecture: string): Platform {
  return { os: 'linux', architecture };
}

describe('of a multi-platform image', () => {
  const ARM = sampleImage(['base', 'arm'], 'arm64');
  const BOTH = sampleIndex([APP, ARM]);

  test('all images are read', async () => {
    const [chosen] = await select([await layoutOf([BOTH, 'app:1'])]);
    expect(chosen?.root).toEqual(BOTH.root);
    expect(chosen?.read.map(({ manifest }) => manifest.descriptor)).toEqual([APP.root, ARM.root]);
  });

  test('the one for a platform is meant where that is asked for, and says of what it is a part', async () => {
    const place = await layoutOf([BOTH, 'app:1']);
    const [chosen] = await select([place], { platform: platformOf('arm64') });
    expect(chosen?.root).toEqual(ARM.root);
    expect(chosen?.read.map(({ config }) => config.value.architecture)).toEqual(['arm64']);
    expect(chosen?.image).toMatchObject({
      root: BOTH.root,
      names: ['app:1'],
      annotations: { [ORIGINAL_INDEX]: BOTH.root.digest },
    });
  });

  test('a platform that it lacks is an error with those that it has', async () => {
    const place = await layoutOf([BOTH, 'app:1']);
    await expect(select([place], { platform: platformOf('s390x') })).rejects.toMatchObject({
      code: 'NOT_FOUND',
      facts: { candidates: ['linux/amd64', 'linux/arm64'] },
    });
  });
});

describe('another name', () => {
  test('is that of the one image, which is vouched for under its own', async () => {
    const place = await layoutOf([APP, 'app:1']);
    const asked: string[][] = [];
    const authenticate: Authenticate = async ({ names }) => (asked.push(names), []);
    const [chosen] = await select([place], { as: 'docker.io/library/other', authenticate });
    expect(chosen?.image.names).toEqual(['other:latest']);
    expect(asked).toEqual([['app:1']]);
  });

  test('of several images is ambiguous, and what is no name is refused before anything is asked', async () => {
    const place = await layoutOf([APP, 'app:1'], [TOOLS]);
    await expect(select([place], { as: 'other' })).rejects.toMatchObject({ code: 'AMBIGUOUS' });
    await expect(select([], { as: 'No Name' })).rejects.toMatchObject({ code: 'USAGE' });
  });
});

test('one image of a registry is found by one request for its manifest, however many tags there are', async () => {
  const fake = await FakeRegistry.start();
  const repository = registryOf(fake).repository('app');
  for (const [descriptor, bytes] of APP.blobs.slice(0, -1)) await repository.put(descriptor, once(bytes));
  const [descriptor, bytes] = APP.blobs.at(-1) ?? expect.fail();
  for (let i = 0; i < 62; i++) await repository.putManifest({ descriptor, bytes }, `v${i}`);
  const before = fake.requests().length;
  const found = await findByReference([repository], `${repository.name}:v7`);
  expect(found.map(({ image }) => image.root)).toEqual([APP.root]);
  expect(fake.requests().slice(before)).toEqual(['HEAD /v2/app/manifests/v7']);
  await select([repository], { images: [`${repository.name}:v7`] });
  // Once more to resolve it; then its manifest and its config are read.
  expect(fake.requests().slice(before + 1)).toHaveLength(3);
});

test('damage of an image is told with its name', async () => {
  const layout = await layoutOf([APP, 'app:1']);
  const broken = toDocument(
    OCI_MANIFEST,
    JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: APP.config,
      layers: APP.layers.slice(1),
    }),
  );
  await layout.update(async (content) => {
    await content.put(broken.descriptor, once(broken.bytes));
    content.add(broken.descriptor, ['web:2'], {});
  });
  const error = await select([layout]).catch((reason: unknown) => reason);
  expect(error).toMatchObject({
    code: 'MALFORMED',
    message: `web:2: the manifest ${broken.descriptor.digest} has 1 layer, its config ${APP.config.digest} has 2 diff_ids`,
    facts: { digest: broken.descriptor.digest },
  });
});

test('damage of an image without a name is told with its digest, once', async () => {
  const layout = await layoutOf([APP, 'app:1']);
  const broken = toDocument(
    OCI_MANIFEST,
    JSON.stringify({ schemaVersion: 2, config: APP.config, layers: APP.layers.slice(1) }),
  );
  await layout.update(async (content) => {
    await content.put(broken.descriptor, once(broken.bytes));
    content.add(broken.descriptor, [], {});
  });
  const error: unknown = await select([layout]).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'MALFORMED' });
  expect(String(error).split(broken.descriptor.digest)).toHaveLength(2);
});
