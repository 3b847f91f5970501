import { expect, test } from 'vitest';
import { fetchImages } from '../../src/verbs/fetch.ts';
import { inspect } from '../../src/verbs/inspect.ts';
import { Layout } from '../../src/layout/layout.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { save } from '../../src/verbs/save/save.ts';
import { chunksOf } from '../../src/testing/sample-images.ts';
import { fixtureArchive } from '../support/fixtures.ts';
import { tempFolder } from '../layout/folders.ts';
import type { SampleImage } from '../../src/testing/sample-images.ts';
import { addSample, sampleImage, sampleIndex, sampleReferrer } from '../../src/testing/sample-images.ts';

const IMAGE = sampleImage(['a']);
const OTHER = sampleImage(['b']);
const HEX = IMAGE.root.digest.slice('sha256:'.length);
/** As cosign makes them: an image of its own kind, without a subject. */
const SIGNATURE = sampleIndex([sampleImage(['signature'])]);
const REF_NAME = 'org.opencontainers.image.ref.name';
const COSIGN = 'dev.cosignproject.cosign';

/** A layout with an image, another one, and entries as other tools write them. */
async function layoutWith(
  ...entries: [sample: SampleImage, annotations: Record<string, string>][]
): Promise<Layout> {
  const layout = await Layout.create(tempFolder());
  await layout.update(async (content) => {
    await addSample(content, IMAGE, ['app:1'], { kind: `${COSIGN}/image` });
    await addSample(content, OTHER, ['other:1']);
    for (const [sample, annotations] of entries) {
      for (const [descriptor, bytes] of sample.blobs) await content.put(descriptor, chunksOf(bytes));
      content.add({ ...sample.root, annotations }, [], {});
    }
  });
  return layout;
}

const digests = (descriptors: readonly Descriptor[]): string[] => descriptors.map(({ digest }) => digest);

test.each([
  ['the tag of a signature', { [REF_NAME]: `sha256-${HEX}.sig` }],
  ['the tag of an attestation in a repository', { [REF_NAME]: `registry.example/app:sha256-${HEX}.att` }],
  ['the tag of an SBOM', { [REF_NAME]: `sha256-${HEX}.sbom` }],
  ['what cosign save calls signatures', { kind: `${COSIGN}/sigs` }],
])('by %s it belongs to the image, travels with it and is no image', async (_, annotations) => {
  const layout = await layoutWith([SIGNATURE, annotations]);
  expect((await layout.images()).map(({ names }) => names)).toEqual([['app:1'], ['other:1']]);
  expect(digests(await layout.referrers(IMAGE.root))).toEqual([SIGNATURE.root.digest]);
  expect(await layout.referrers(OTHER.root)).toEqual([]);
  const fetched = await Layout.create(tempFolder());
  await fetchImages({ from: [layout], to: fetched, images: ['app:1', 'other:1'] });
  const copied = await Layout.create(tempFolder());
  await save({ from: fetched, to: copied });
  for (const place of [fetched, copied]) {
    expect(digests(await place.referrers(IMAGE.root))).toEqual([SIGNATURE.root.digest]);
    expect(await place.images()).toHaveLength(2);
  }
});

test('the list of referrers of a registry without such an API is no image', async () => {
  const layout = await layoutWith([SIGNATURE, { [REF_NAME]: `sha256-${HEX}` }]);
  expect(await layout.images()).toHaveLength(2);
  expect(await layout.referrers(IMAGE.root)).toEqual([]);
});

test('of what cosign save wrote beside several images nobody knows whose it is', async () => {
  const layout = await layoutWith([SIGNATURE, { kind: `${COSIGN}/sigs` }]);
  await layout.update(async (content) => content.add(OTHER.root, ['other:1'], { kind: `${COSIGN}/image` }));
  expect(await layout.referrers(IMAGE.root)).toEqual([]);
});

test('inspect lists what refers to an image, and what BuildKit put beside it', async () => {
  const referrer = sampleReferrer(IMAGE.root);
  const layout = await layoutWith([referrer, {}]);
  const [app, other] = (await inspect({ from: [layout] })).images;
  expect(app?.attached).toEqual([
    {
      digest: referrer.root.digest,
      type: 'application/vnd.example.signature',
      predicateType: null,
      size: referrer.root.size,
    },
  ]);
  expect(other?.attached).toEqual([]);
  const built = await Layout.create(tempFolder());
  await save({ from: fixtureArchive('docker-28-containerd-attestation.tar'), to: built });
  const [image] = (await inspect({ from: [built] })).images;
  expect(image?.attached).toMatchObject([{ type: 'attestation-manifest' }]);
});
