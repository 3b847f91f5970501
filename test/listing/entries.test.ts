import { execFileSync } from 'node:child_process';
import { createReadStream, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Layout } from '../../src/layout/layout.ts';
import { readLayoutIndex } from '../../src/layout/layout-files.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import type { UnreadEntry } from '../../src/oci/image-index.ts';
import { buildManifest } from '../../src/oci/manifest.ts';
import { OCI_CONFIG } from '../../src/oci/media-types.ts';
import { select } from '../../src/select/select.ts';
import { prune } from '../../src/verbs/prune.ts';
import { save } from '../../src/verbs/save/save.ts';
import { describeBytes } from '../../src/testing/sample-images.ts';
import type { SampleImage } from '../../src/testing/sample-images.ts';
import { addSample, sampleImage, sampleIndex, sampleReferrer } from '../../src/testing/sample-images.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const APP = sampleImage(['base', 'app']);
const ARM = sampleImage(['base', 'arm'], 'arm64');
const BOTH = sampleIndex([APP, ARM]);
const CHART_TYPE = 'application/vnd.cncf.helm.config.v1+json';
const CHART = artifact(CHART_TYPE, 'application/vnd.cncf.helm.chart.content.v1.tar+gzip');
const ATTESTATION = artifact(OCI_CONFIG, 'application/vnd.in-toto+json');
const BLAKE3 = { digest: `blake3:${'a'.repeat(64)}`, mediaType: APP.root.mediaType, size: 1 };

/** A manifest with one layer, whatever it is. */
function artifact(configType: string, layerType: string): SampleImage {
  const config = Buffer.from('{}');
  const layer = Buffer.from(layerType);
  const [configBlob, layerBlob] = [describeBytes(config, configType), describeBytes(layer, layerType)];
  const { descriptor, bytes } = buildManifest(configBlob, [layerBlob]);
  const blobs: SampleImage['blobs'] = [
    [configBlob, config],
    [layerBlob, layer],
    [descriptor, bytes],
  ];
  return { root: descriptor, config: configBlob, layers: [layerBlob], diffIds: [], blobs };
}

/** A layout with the content of all of these, and these entries. */
async function layoutOf(content: readonly SampleImage[], manifests: readonly UnreadEntry[]): Promise<Layout> {
  const layout = await Layout.create(join(await temporaryFolder(), 'layout'));
  await layout.update(async (transaction) => {
    for (const image of content) await addSample(transaction, image);
  });
  writeFileSync(join(layout.path, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
  return layout;
}

function named({ root }: SampleImage, name: string): Descriptor {
  return { ...root, annotations: { 'org.opencontainers.image.ref.name': name } };
}

describe('beside an image is passed over, with a line,', () => {
  test.each<[string, readonly SampleImage[], UnreadEntry, string]>([
    [
      'a Helm chart',
      [CHART],
      named(CHART, 'chart:1'),
      `chart:1 is skipped: it is not an image but ${CHART_TYPE}`,
    ],
    [
      'an artifact that says so in its entry',
      [],
      { ...APP.root, digest: ARM.root.digest, artifactType: 'application/vnd.example' },
      `(no name) ${ARM.root.digest} is skipped: it is not an image but application/vnd.example`,
    ],
    [
      'an attestation of nothing',
      [ATTESTATION],
      ATTESTATION.root,
      `(no name) ${ATTESTATION.root.digest} is skipped: it is not an image but application/vnd.in-toto+json`,
    ],
    [
      'a file',
      [],
      { ...APP.config, mediaType: 'text/plain' },
      `(no name) ${APP.config.digest} is skipped: it is not an image but text/plain`,
    ],
    [
      'a digest of another algorithm',
      [],
      BLAKE3,
      `(no name) ${BLAKE3.digest} is skipped: its digest algorithm is unknown`,
    ],
    ['null', [], null, 'an entry of index.json is skipped: it is null'],
    ['no digest', [], { ...BLAKE3, digest: null }, 'an entry of index.json is skipped: it has no digest'],
    ['an empty digest', [], { ...BLAKE3, digest: '' }, 'an entry of index.json is skipped: it has no digest'],
    [
      'an empty media type',
      [],
      { ...ARM.root, mediaType: '' },
      `(no name) ${ARM.root.digest} is skipped: it has no media type`,
    ],
    [
      'no media type',
      [],
      { ...ARM.root, mediaType: undefined },
      `(no name) ${ARM.root.digest} is skipped: it has no media type`,
    ],
    ['no size', [], { ...ARM.root, size: null }, `(no name) ${ARM.root.digest} is skipped: it has no size`],
    [
      'what refers to something else',
      [sampleReferrer(CHART.root)],
      sampleReferrer(CHART.root).root,
      `(no name) ${sampleReferrer(CHART.root).root.digest} is skipped: it refers to ${CHART.root.digest}, which is absent`,
    ],
  ])('%s', async (_, content, entry, message) => {
    const layout = await layoutOf([APP, ARM, ...content], [entry, named(APP, 'app:1')]);
    const notes: unknown[] = [];
    const onProgress = notes.push.bind(notes);
    const chosen = await select([layout], { onProgress });
    expect(chosen.map(({ image }) => image.names)).toEqual([['app:1']]);
    expect(notes).toEqual([{ kind: 'note', message }]);
    expect((await select([layout], { images: ['app:1'], onProgress }))[0]?.root).toEqual(APP.root);
    expect(notes).toHaveLength(1);
  });
});

test('what an entry with a name lists is passed over where it has none itself', async () => {
  const layout = await layoutOf([BOTH], [named(BOTH, 'v1'), APP.root, named(ARM, 'arm:1')]);
  const notes: unknown[] = [];
  const chosen = await select([layout], { onProgress: notes.push.bind(notes) });
  expect(chosen.map(({ root, image }) => [root.digest, image.names])).toEqual([
    [BOTH.root.digest, []],
    [ARM.root.digest, ['arm:1']],
  ]);
  expect(notes).toEqual([
    { kind: 'note', message: `(no name) ${APP.root.digest} is skipped: it is part of v1` },
  ]);
  expect((await select([layout], { images: [APP.root.digest] }))[0]?.root).toEqual(APP.root);
});

test('what refers to an image goes with it, without a line', async () => {
  const signature = sampleReferrer(APP.root);
  const layout = await layoutOf([APP, signature], [named(APP, 'app:1'), signature.root]);
  const notes: unknown[] = [];
  expect(await select([layout], { onProgress: notes.push.bind(notes) })).toHaveLength(1);
  expect(notes).toEqual([]);
});

test('an artifact that is asked for is no image', async () => {
  const layout = await layoutOf([APP, CHART], [named(CHART, 'chart:1'), named(APP, 'app:1')]);
  await expect(select([layout], { images: ['chart:1'] })).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  await expect(select([layout], { images: ['chart:2'] })).rejects.toMatchObject({
    code: 'NOT_FOUND',
    facts: { candidates: ['app:1'] },
  });
});

describe('an entry whose digest is not read', () => {
  test('stays as it is when the layout changes', async () => {
    const entry = { ...BLAKE3, annotations: { kept: 'yes' }, 'x-own': [1] };
    const layout = await layoutOf([APP], [entry, APP.root]);
    await layout.update((transaction) => addSample(transaction, ARM, ['arm:1']));
    expect((await readLayoutIndex(layout.path)).unread).toEqual([entry]);
    expect(await layout.entries()).toHaveLength(2);
  });

  test('forbids to remove what it may need', async () => {
    const layout = await layoutOf([APP], [BLAKE3, named(APP, 'app:1')]);
    await expect(prune({ layout, images: ['app:1'] })).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    expect(await layout.has(APP.config)).toBe(true);
  });

  test('is malformed if another program may read another digest', async () => {
    const entry = { ...BLAKE3, Digest: APP.root.digest };
    const layout = await layoutOf([APP], [named(APP, 'app:1'), { ...entry, digest: undefined }]);
    await expect(layout.images()).rejects.toMatchObject({ code: 'MALFORMED' });
  });

  test.each(['sha256:abc', 'blake3', 'blake3:', 'BLAKE3:aa', `sha512:${'a'.repeat(64)}`])(
    'has to be a digest: %s costs that entry, and is malformed where it is asked for',
    async (digest) => {
      const layout = await layoutOf([APP], [{ ...BLAKE3, digest }, named(APP, 'app:1')]);
      expect((await layout.images()).map(({ names }) => names)).toEqual([['app:1']]);
      await expect(layout.resolve(digest)).rejects.toMatchObject({ code: 'MALFORMED' });
    },
  );
});

describe("another tool's word for an index, with its children in index.json,", () => {
  test('stays when it is saved, out of a folder or an archive', async () => {
    const layout = await layoutOf([APP, ARM, BOTH], [named(BOTH, 'v1'), APP.root, ARM.root]);
    const out = await temporaryFolder();
    const bare = await Layout.create(join(out, 'from-folder'));
    await save({ from: layout, to: bare });
    execFileSync('tar', [
      '-C',
      layout.path,
      '--exclude=./manifest.json',
      '-cf',
      join(out, 'layout.tar'),
      '.',
    ]);
    const archive = createReadStream(join(out, 'layout.tar'));
    const again = await Layout.create(join(out, 'from-archive'));
    await save({ from: { archive }, to: again });
    for (const copy of [bare, again]) {
      const entries = await copy.entries();
      expect(entries.map(({ digest }) => digest)).toEqual([BOTH.root.digest]);
      expect(entries[0]?.annotations).toMatchObject({ 'org.opencontainers.image.ref.name': 'v1' });
      const [chosen] = await select([copy], { images: ['v1'] });
      expect(chosen?.root.digest).toBe(BOTH.root.digest);
    }
  });
});

test.each([
  ['org.opencontainers.image.ref.name', ARM.root.digest],
  ['org.opencontainers.image.ref.name', ARM.root.digest.slice('sha256:'.length)],
  ['io.containerd.image.name', `docker.io/library/${ARM.root.digest}`],
])('a name in %s that reads as a digest is left out, with a line: %s', async (key, text) => {
  const layout = await layoutOf([APP], [{ ...APP.root, annotations: { [key]: text } }]);
  const notes: unknown[] = [];
  const [image] = await layout.images({ onProgress: notes.push.bind(notes) });
  expect(image).toMatchObject({ root: APP.root, names: [] });
  const message = `index.json calls ${APP.root.digest} ${text}: that is not a name`;
  expect(notes).toEqual([{ kind: 'note', message }]);
  await expect(layout.resolve(text)).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

test('no image gets a name that reads as a digest', async () => {
  const layout = await layoutOf([APP], [APP.root]);
  const adding = layout.update((transaction) => addSample(transaction, APP, [ARM.root.digest]));
  await expect(adding).rejects.toMatchObject({ code: 'USAGE' });
});
