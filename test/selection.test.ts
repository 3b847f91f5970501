import { expect, test } from 'vitest';
import type { ImagePolicy } from '../src/content.ts';
import { DrayageError } from '../src/errors.ts';
import { Layout } from '../src/layout/layout.ts';
import { joinPlaces, selectImages } from '../src/selection.ts';
import type { SampleImage } from './layout/sample-images.ts';
import { addSample, sampleImage, sampleReferrer } from './layout/sample-images.ts';
import { temporaryFolder } from './support/temporary-folder.ts';

const APP = sampleImage(['base', 'app']);
const TOOLS = sampleImage(['base', 'tools']);

async function layoutOf(...images: [SampleImage, ...string[]][]): Promise<Layout> {
  const layout = await Layout.create(`${await temporaryFolder()}/layout`);
  await layout.update(async (transaction) => {
    for (const [image, ...names] of images) await addSample(transaction, image, names);
  });
  return layout;
}

function digests(chosen: Awaited<ReturnType<typeof selectImages>>): string[] {
  return chosen.map(({ image }) => image.root.digest);
}

test('without references all images of all places are chosen, in order, each with its place', async () => {
  const first = await layoutOf([APP, 'app:1']);
  const second = await layoutOf([TOOLS]);
  const chosen = await selectImages([first, second]);
  expect(chosen.map(({ place }) => place)).toEqual([first, second]);
  expect(digests(chosen)).toEqual([APP.root.digest, TOOLS.root.digest]);
});

test('an image in two places is chosen once', async () => {
  const places = [await layoutOf([APP, 'app:1']), await layoutOf([APP, 'app:1'])];
  expect(digests(await selectImages(places))).toEqual([APP.root.digest]);
  expect(digests(await selectImages(places, ['app:1', APP.config.digest]))).toEqual([APP.root.digest]);
});

test.each([
  ['its name', 'tools:1'],
  ['its full name', 'docker.io/library/tools:1'],
  ['its digest', TOOLS.root.digest],
  ["its config's digest", TOOLS.config.digest],
  ['a short digest', TOOLS.config.digest.slice(7, 19)],
])('an image is chosen by %s, whichever place has it', async (_, reference) => {
  const places = [await layoutOf([APP, 'app:1']), await layoutOf([TOOLS, 'tools:1'])];
  const chosen = await selectImages(places, [reference]);
  expect(digests(chosen)).toEqual([TOOLS.root.digest]);
  expect(chosen[0]?.place).toBe(places[1]);
});

test('the order is that of the references', async () => {
  const place = await layoutOf([APP, 'app:1'], [TOOLS, 'tools:1']);
  expect(digests(await selectImages([place], ['tools:1', 'app:1']))).toEqual([
    TOOLS.root.digest,
    APP.root.digest,
  ]);
});

test('what no place has is an error with the names of all of them', async () => {
  const places = [await layoutOf([APP, 'app:1']), await layoutOf([TOOLS, 'app:2'])];
  await expect(selectImages(places, ['app:3'])).rejects.toMatchObject({
    code: 'NOT_FOUND',
    message: expect.stringContaining('"app:3"') as string,
    facts: { candidates: ['app:1', 'app:2'] },
  });
});

test('one name for different images in different places is ambiguous', async () => {
  const places = [await layoutOf([APP, 'app:1']), await layoutOf([TOOLS, 'app:1'])];
  const expected = { code: 'AMBIGUOUS', facts: { candidates: [APP.root.digest, TOOLS.root.digest] } };
  await expect(selectImages(places)).rejects.toMatchObject(expected);
  await expect(selectImages(places, ['app:1'])).rejects.toMatchObject(expected);
  await expect(joinPlaces(places).resolve('app:1')).rejects.toMatchObject(expected);
  expect(digests(await selectImages(places, [TOOLS.root.digest]))).toEqual([TOOLS.root.digest]);
});

test('places without an image are an error', async () => {
  const empty = await Layout.create(`${await temporaryFolder()}/layout`);
  await expect(selectImages([empty])).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await expect(selectImages([])).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

test('joined places are one: all images, content from whichever has it, each referrer once', async () => {
  const signature = sampleReferrer(APP.root);
  const first = await layoutOf([APP, 'app:1'], [signature]);
  const second = await layoutOf([TOOLS, 'tools:1'], [APP], [signature]);
  const joined = joinPlaces([first, second]);
  expect((await joined.images()).map(({ names }) => names)).toEqual([['app:1'], ['tools:1'], []]);
  expect((await joined.resolve('tools:1')).root.digest).toBe(TOOLS.root.digest);
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
  const chosen = await selectImages([place], [], {
    policy: refusing('app:1'),
    onNote: (message) => notes.push(message),
  });
  expect(digests(chosen)).toEqual([TOOLS.root.digest]);
  expect(notes).toEqual(['left out']);
});

test('what is left out makes no name ambiguous', async () => {
  const places = [await layoutOf([APP, 'app:1', 'old:1']), await layoutOf([TOOLS, 'app:1'])];
  expect(digests(await selectImages(places, ['app:1'], { policy: refusing('old:1') }))).toEqual([
    TOOLS.root.digest,
  ]);
});

test('an image that was asked for by its name is never just left out', async () => {
  const place = await layoutOf([APP, 'app:1'], [TOOLS, 'tools:1']);
  const asked = selectImages([place], ['app:1', 'tools:1'], { policy: refusing('app:1') });
  await expect(asked).rejects.toMatchObject({ code: 'POLICY' });
});
