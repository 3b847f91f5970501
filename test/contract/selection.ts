import { describe, expect, test } from 'vitest';
import type { ImagePlace } from '../../src/content/image-index.ts';
import { isDrayageError } from '../../src/errors.ts';
import { Layout } from '../../src/layout/layout.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { blobName } from '../../src/oci/layout.ts';
import { isLayerType, OCI_CONFIG, OCI_MANIFEST } from '../../src/oci/media-types.ts';
import type { Selection } from '../../src/select/selection.ts';
import { exportArchive } from '../../src/verbs/export.ts';
import { merge } from '../../src/verbs/merge.ts';
import { save } from '../../src/verbs/save/save.ts';
import { verify } from '../../src/verbs/verify/verify.ts';
import type { SampleImage } from '../../src/testing/sample-images.ts';
import { describeBytes, sampleImage, sampleIndex } from '../../src/testing/sample-images.ts';
import { sampleAttestation, withForeignLayer } from '../layout/sample-images.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** What a place holds: blobs, and the entries of its index.json. */
export interface SelectionContent {
  blobs: readonly [Descriptor, Uint8Array][];
  entries: readonly Descriptor[];
  /** Further files of a layout, by their paths; also in place of its own. */
  files?: Readonly<Record<string, string>>;
}

/** How a place is made of content. */
export interface SelectionPlace {
  open(content: SelectionContent, selection: Selection): Promise<ImagePlace>;
  /** Whether the place can hold content without names, and what no tag can name. Default true. */
  hasIndex?: boolean;
  /** Whether it reads the version of a layout. Default true. */
  readsVersion?: boolean;
}

/** Result of a selection: each image with its names and the number of its layers, or the code of the refusal. */
type Answer = AnsweredImage[] | string;

interface AnsweredImage {
  digest: string;
  names: string[];
  layers: number;
}

interface Case {
  content: SelectionContent;
  selection?: Selection;
  expected: Answer;
  /** Whether tags of a registry can say this: images with tags, and no more. */
  tagged?: boolean;
  /** Whether it is about the version of a layout. */
  isOfVersion?: boolean;
  /** Whether an archive of it can be written: that lacks no layer. Default true. */
  isArchived?: boolean;
}

const ONE = sampleImage(['one']);
const TWO = sampleImage(['two']);
const ARM = sampleImage(['arm'], 'arm64');
const BOTH = sampleIndex([
  { ...ONE, root: { ...ONE.root, platform: { os: 'linux', architecture: 'amd64' } } },
  { ...ARM, root: { ...ARM.root, platform: { os: 'linux', architecture: 'arm64' } } },
]);
/** Another index of the same images. */
const OTHER_BOTH = sampleIndex([ARM, ONE]);
const ATTESTED = sampleIndex([ONE, sampleAttestation(ONE)]);
/** The attestation says what it is by its layers alone. */
const PLAIN_ATTESTATION = artifact(OCI_CONFIG, 'application/vnd.in-toto+json');
const PLAINLY_ATTESTED = sampleIndex(
  [ONE],
  [{ ...PLAIN_ATTESTATION.root, annotations: { 'vnd.docker.reference.digest': ONE.root.digest } }],
);
const SHARED = sampleIndex([sampleImage(['base']), sampleImage(['base', 'arm'], 'arm64')]);
const TWICE = sampleImage(['one', 'one']);
const VAGUE = sampleIndex([
  { ...ONE, root: { ...ONE.root, platform: { os: 'linux' } as never } },
  { ...ARM, root: { ...ARM.root, platform: { architecture: 'arm64', os: null } as never } },
]);
const RISCV = sampleImage(['riscv'], 'riscv64');
const NESTED = sampleIndex([BOTH, RISCV]);
const FOREIGN = withForeignLayer(['https://layers.example/one']);
const CHART = artifact(
  'application/vnd.cncf.helm.config.v1+json',
  'application/vnd.cncf.helm.chart.content.v1.tar+gzip',
);
/** What lists blobs only, as BuildKit's cache does, and an index that lists one beside its image. */
const [LAYER = ONE.root] = TWO.layers;
const RECORDS = Buffer.from('{"layers":[],"records":[]}');
const CONFIG = describeBytes(RECORDS, 'application/vnd.buildkit.cacheconfig.v0');
const CACHE = sampleIndex([{ ...TWO, root: LAYER }], [CONFIG]);
const CACHE_BLOBS: SampleImage['blobs'] = [...CACHE.blobs, [CONFIG, RECORDS]];
const WITH_BLOB = sampleIndex([ONE], [CONFIG]);
const XZ = artifact(OCI_CONFIG, 'application/vnd.oci.image.layer.v1.tar+xz');
/** Two images. */
const PAIR: SelectionContent = {
  blobs: [...ONE.blobs, ...TWO.blobs],
  entries: [named(ONE.root, 'app:1'), named(TWO.root, 'other:1')],
};
/** Two images, the second without its layer. */
const HALF: SelectionContent = {
  blobs: [...ONE.blobs, ...TWO.blobs.filter(([{ mediaType }]) => !isLayerType(mediaType))],
  entries: [named(ONE.root, 'app:1'), named(TWO.root, 'half:1')],
};
/** Two images; the entry of the second embeds what is not its content. */
const OTHER_DATA: SelectionContent = {
  ...PAIR,
  entries: [named(ONE.root, 'app:1'), { ...named(TWO.root, 'other:1'), data: 'b3RoZXI=' }],
};
const AMD64 = { os: 'linux', architecture: 'amd64' };

const answer = ({ root, blobs }: SampleImage, ...names: string[]): AnsweredImage => ({
  digest: root.digest,
  names,
  layers: blobs.filter(([{ mediaType }]) => isLayerType(mediaType)).length,
});

const CASES: Record<string, Case> = {
  'an image': {
    content: { blobs: ONE.blobs, entries: [named(ONE.root, 'app:1')] },
    expected: [answer(ONE, 'app:1')],
    tagged: true,
  },
  'an image with two names, by one of them': {
    content: { blobs: ONE.blobs, entries: [named(ONE.root, 'app:1'), named(ONE.root, 'app:2')] },
    selection: { images: ['app:2'] },
    // It keeps both; a registry would have to list its tags to know the other one.
    expected: [answer(ONE, 'app:1', 'app:2')],
  },
  'an image without a name': {
    content: { blobs: ONE.blobs, entries: [ONE.root] },
    expected: [answer(ONE)],
  },
  'a name that is not there': {
    content: { blobs: ONE.blobs, entries: [named(ONE.root, 'app:1')] },
    selection: { images: ['app:9'] },
    expected: 'NOT_FOUND',
    tagged: true,
  },
  'an image of several platforms': {
    content: { blobs: BOTH.blobs, entries: [named(BOTH.root, 'app:1')] },
    expected: [answer(BOTH, 'app:1')],
    tagged: true,
  },
  'one platform of several': {
    content: { blobs: BOTH.blobs, entries: [named(BOTH.root, 'app:1')] },
    selection: { platform: AMD64 },
    expected: [answer(ONE, 'app:1')],
    tagged: true,
  },
  'a platform that is not there': {
    content: { blobs: BOTH.blobs, entries: [named(BOTH.root, 'app:1')] },
    selection: { platform: { os: 'linux', architecture: 's390x' } },
    expected: 'NOT_FOUND',
    tagged: true,
  },
  'an index beside its own children, as oras writes it': {
    content: {
      blobs: BOTH.blobs,
      entries: [named(BOTH.root, 'app:1'), ONE.root, ARM.root],
    },
    expected: [answer(BOTH, 'app:1')],
  },
  'an image with an attestation in its index': {
    content: { blobs: ATTESTED.blobs, entries: [named(ATTESTED.root, 'app:1')] },
    expected: [answer(ATTESTED, 'app:1')],
    tagged: true,
  },
  'an image with an attestation in its index that states no platform': {
    content: {
      blobs: [...PLAINLY_ATTESTED.blobs, ...PLAIN_ATTESTATION.blobs],
      entries: [named(PLAINLY_ATTESTED.root, 'app:1')],
    },
    expected: [answer(PLAINLY_ATTESTED, 'app:1')],
    tagged: true,
  },
  'an image whose attestation in its index is absent': {
    content: { blobs: PLAINLY_ATTESTED.blobs, entries: [named(PLAINLY_ATTESTED.root, 'app:1')] },
    // Of what is left of an index, one image stands for itself.
    expected: [answer(ONE, 'app:1')],
    tagged: true,
  },
  'an attestation whose image is absent from their index': {
    content: {
      blobs: [PLAINLY_ATTESTED.blobs.at(-1) ?? [ONE.root, Buffer.alloc(0)], ...PLAIN_ATTESTATION.blobs],
      entries: [named(PLAINLY_ATTESTED.root, 'app:1')],
    },
    expected: 'NOT_FOUND',
    tagged: true,
  },
  'an index under two names': {
    content: { blobs: BOTH.blobs, entries: [named(BOTH.root, 'app:1'), named(BOTH.root, 'app:2')] },
    expected: [answer(BOTH, 'app:1', 'app:2')],
  },
  'an index under a name and under another tool’s word': {
    content: { blobs: BOTH.blobs, entries: [worded(BOTH.root, 'v1'), named(BOTH.root, 'app:1')] },
    selection: { images: ['v1'] },
    expected: [answer(BOTH, 'app:1')],
  },
  'an index beside a child that has a name of its own': {
    content: { blobs: BOTH.blobs, entries: [named(BOTH.root, 'app:1'), named(ARM.root, 'arm:1')] },
    expected: [answer(BOTH, 'app:1'), { ...answer(ARM, 'arm:1') }],
  },
  'an index of indexes beside the inner one, without a name': {
    content: { blobs: NESTED.blobs, entries: [BOTH.root, named(NESTED.root, 'app:1')] },
    expected: [answer(NESTED, 'app:1')],
  },
  'an index of indexes of which the inner one lacks a platform': {
    content: {
      blobs: NESTED.blobs.filter(([{ digest }]) => digest !== ARM.root.digest),
      entries: [named(NESTED.root, 'app:1')],
    },
    selection: { platform: { os: 'linux', architecture: 'riscv64' } },
    expected: [answer(RISCV, 'app:1')],
    tagged: true,
  },
  'an image beside a chart': {
    content: {
      blobs: [...ONE.blobs, ...CHART.blobs],
      entries: [named(ONE.root, 'app:1'), named(CHART.root, 'chart:1')],
    },
    expected: [answer(ONE, 'app:1')],
  },
  'an image beside an index of blobs, as BuildKit exports its cache': {
    content: {
      blobs: [...ONE.blobs, ...CACHE_BLOBS],
      entries: [worded(CACHE.root, 'latest'), named(ONE.root, 'app:1')],
    },
    expected: [answer(ONE, 'app:1')],
  },
  'an index of blobs that is asked for': {
    content: { blobs: [...ONE.blobs, ...CACHE_BLOBS], entries: [named(CACHE.root, 'app:1')] },
    selection: { images: ['app:1'] },
    expected: 'UNSUPPORTED',
  },
  'an image whose index also lists a blob': {
    content: { blobs: [...WITH_BLOB.blobs, [CONFIG, RECORDS]], entries: [named(WITH_BLOB.root, 'app:1')] },
    expected: [answer(WITH_BLOB, 'app:1')],
    tagged: true,
  },
  'an image whose index also lists a blob that is absent': {
    content: { blobs: WITH_BLOB.blobs, entries: [named(WITH_BLOB.root, 'app:1')] },
    // Of what is left of an index, one image stands for itself.
    expected: [answer(ONE, 'app:1')],
    tagged: true,
  },
  'an image beside an entry whose digest nobody here computes': {
    content: {
      blobs: ONE.blobs,
      entries: [
        named(ONE.root, 'app:1'),
        { ...named(ONE.root, 'odd:1'), digest: `blake3:${'a'.repeat(64)}` as never },
      ],
    },
    expected: [answer(ONE, 'app:1')],
  },
  'an image whose entry embeds other data, with all others': {
    content: OTHER_DATA,
    expected: 'MALFORMED',
  },
  'an image whose entry embeds other data, by name': {
    content: OTHER_DATA,
    selection: { images: ['other:1'] },
    expected: 'MALFORMED',
  },
  'an image beside one whose entry embeds other data, by name': {
    content: OTHER_DATA,
    selection: { images: ['app:1'] },
    expected: [answer(ONE, 'app:1')],
  },
  'two images, one of them by the start of its digest': {
    content: { blobs: [...ONE.blobs, ...TWO.blobs], entries: [ONE.root, TWO.root] },
    selection: { images: [TWO.root.digest] },
    expected: [answer(TWO)],
  },
  'one name for two images of one platform': {
    content: {
      blobs: [...ONE.blobs, ...TWO.blobs],
      entries: [named(ONE.root, 'app:1'), named(TWO.root, 'app:1')],
    },
    expected: 'AMBIGUOUS',
  },
  'a layer that is not to be distributed, and not there': {
    content: {
      blobs: FOREIGN.blobs.filter(([{ digest }]) => digest !== FOREIGN.layers[0]?.digest),
      entries: [named(FOREIGN.root, 'app:1')],
    },
    expected: [{ ...answer(FOREIGN, 'app:1'), layers: 0 }],
    isArchived: false,
  },
  'nothing at all that is an image': {
    content: { blobs: CHART.blobs, entries: [named(CHART.root, 'chart:1')] },
    expected: 'NOT_FOUND',
  },
  'an image whose two names disagree': {
    content: {
      blobs: ONE.blobs,
      entries: [
        {
          ...ONE.root,
          annotations: {
            'io.containerd.image.name': 'docker.io/library/app:1',
            'org.opencontainers.image.ref.name': 'other:2',
          },
        },
      ],
    },
    expected: [answer(ONE, 'app:2')],
  },
  'an image whose name reads as the digest of another': {
    content: {
      blobs: [...ONE.blobs, ...TWO.blobs],
      entries: [named(ONE.root, TWO.root.digest), named(TWO.root, 'app:1')],
    },
    selection: { images: [TWO.root.digest] },
    expected: [answer(TWO, 'app:1')],
  },
  'an image whose name reads as the digest of what is absent': {
    content: { blobs: ONE.blobs, entries: [named(ONE.root, TWO.root.digest)] },
    selection: { images: [TWO.root.digest] },
    expected: 'NOT_FOUND',
  },
  'an image whose word reads as an ID': {
    content: { blobs: ONE.blobs, entries: [worded(ONE.root, TWO.root.digest.slice('sha256:'.length))] },
    selection: { images: [TWO.root.digest.slice('sha256:'.length)] },
    expected: 'NOT_FOUND',
  },
  'all images, one of them with a name that reads as a digest': {
    content: { blobs: ONE.blobs, entries: [named(ONE.root, TWO.root.digest)] },
    expected: [answer(ONE)],
  },
  'an index of which one platform is absent': {
    content: {
      blobs: BOTH.blobs.filter(([{ digest }]) => digest !== ARM.root.digest),
      entries: [named(BOTH.root, 'app:1')],
    },
    // Of what is left of an index, one image stands for itself.
    expected: [answer(ONE, 'app:1')],
    tagged: true,
  },
  'an index of which one platform is absent, by its digest': {
    content: { blobs: withoutArm(BOTH), entries: [named(BOTH.root, 'app:1')] },
    selection: { images: [BOTH.root.digest] },
    expected: [answer(ONE, 'app:1')],
  },
  'an index of which one platform is absent, by its name and its digest': {
    content: { blobs: withoutArm(BOTH), entries: [named(BOTH.root, 'app:1')] },
    selection: { images: [`app@${BOTH.root.digest}`] },
    expected: [answer(ONE, 'app:1')],
  },
  'an index of which one platform is absent, beside a manifest.json, by its digest': {
    content: {
      blobs: withoutArm(BOTH),
      entries: [named(BOTH.root, 'app:1')],
      files: { 'manifest.json': dockerManifest({ 'app:1': ONE }) },
    },
    selection: { images: [BOTH.root.digest] },
    expected: [answer(ONE, 'app:1')],
  },
  'an index of which one platform is absent, by the start of its digest': {
    content: { blobs: [...withoutArm(BOTH), ...TWO.blobs], entries: [BOTH.root, named(TWO.root, 'other:1')] },
    selection: { images: [BOTH.root.digest.slice(7, 19), 'other:1'] },
    expected: [answer(ONE), answer(TWO, 'other:1')],
  },
  'two indexes of which the same part is there, by both digests': {
    content: {
      blobs: [...withoutArm(BOTH), ...OTHER_BOTH.blobs.slice(-1)],
      entries: [named(BOTH.root, 'app:1'), named(OTHER_BOTH.root, 'app:2')],
    },
    selection: { images: [OTHER_BOTH.root.digest, BOTH.root.digest] },
    expected: [answer(ONE, 'app:2', 'app:1')],
  },
  'an index of which one platform lacks a layer': {
    content: {
      blobs: BOTH.blobs.filter(([{ digest }]) => digest !== ARM.layers[0]?.digest),
      entries: [named(BOTH.root, 'app:1')],
    },
    expected: [answer(ONE, 'app:1')],
    tagged: true,
  },
  'an index of which every platform lacks a layer': {
    content: {
      blobs: BOTH.blobs.filter(([{ mediaType }]) => !isLayerType(mediaType)),
      entries: [named(BOTH.root, 'app:1')],
    },
    expected: 'NOT_FOUND',
    tagged: true,
  },
  'images of two platforms that share a layer': {
    content: { blobs: SHARED.blobs, entries: [named(SHARED.root, 'app:1')] },
    expected: [{ ...answer(SHARED, 'app:1'), layers: 2 }],
    tagged: true,
  },
  'an image with a layer twice': {
    content: { blobs: TWICE.blobs, entries: [named(TWICE.root, 'app:1')] },
    expected: [answer(TWICE, 'app:1')],
    tagged: true,
  },
  'an index of indexes': {
    content: { blobs: NESTED.blobs, entries: [named(NESTED.root, 'app:1')] },
    expected: [answer(NESTED, 'app:1')],
    tagged: true,
  },
  'an image whose platform is stated in part': {
    content: {
      blobs: ONE.blobs,
      entries: [{ ...named(ONE.root, 'app:1'), platform: { os: 'linux' } as never }],
    },
    selection: { platform: AMD64 },
    expected: [answer(ONE, 'app:1')],
  },
  'an image in an index that states its platform in part': {
    content: { blobs: VAGUE.blobs, entries: [named(VAGUE.root, 'app:1')] },
    selection: { platform: AMD64 },
    expected: [answer(ONE, 'app:1')],
    tagged: true,
  },
  'an image by another tool’s word': {
    content: {
      blobs: [...ONE.blobs, ...TWO.blobs],
      entries: [worded(ONE.root, 'v1'), worded(TWO.root, 'v2')],
    },
    selection: { images: ['v2'] },
    expected: [answer(TWO)],
  },
  'an image without one of its layers': {
    content: {
      blobs: ONE.blobs.filter(([{ digest }]) => digest !== ONE.layers[0]?.digest),
      entries: [named(ONE.root, 'app:1')],
    },
    expected: 'NOT_FOUND',
    tagged: true,
  },
  'an image beside one without its layer, by name': {
    content: { ...HALF, files: { 'manifest.json': dockerManifest({ 'app:1': ONE, 'half:1': TWO }) } },
    selection: { images: ['app:1'] },
    expected: [answer(ONE, 'app:1')],
  },
  'an image without its layer beside another one, by name': {
    content: { ...HALF, files: { 'manifest.json': dockerManifest({ 'app:1': ONE, 'half:1': TWO }) } },
    selection: { images: ['half:1'] },
    expected: 'NOT_FOUND',
  },
  'an image beside one without its layer': {
    content: { ...HALF, files: { 'manifest.json': dockerManifest({ 'app:1': ONE, 'half:1': TWO }) } },
    expected: 'NOT_FOUND',
  },
  'an image that only index.json lists, beside a manifest.json': {
    content: { ...PAIR, files: { 'manifest.json': dockerManifest({ 'app:1': ONE }) } },
    expected: [answer(ONE, 'app:1'), answer(TWO, 'other:1')],
  },
  'an image that only index.json lists, by name': {
    content: { ...PAIR, files: { 'manifest.json': dockerManifest({ 'app:1': ONE }) } },
    selection: { images: ['other:1'] },
    expected: [answer(TWO, 'other:1')],
  },
  'images of a layout of another version': {
    content: { ...PAIR, files: { 'oci-layout': '{"imageLayoutVersion":"2.0.0"}' } },
    expected: 'MALFORMED',
    isOfVersion: true,
  },
  'images of a layout that states no version': {
    content: { ...PAIR, files: { 'oci-layout': '{}' } },
    expected: 'MALFORMED',
    isOfVersion: true,
  },
  'images of a layout whose version is empty': {
    content: { ...PAIR, files: { 'oci-layout': '' } },
    expected: 'MALFORMED',
    isOfVersion: true,
  },
  'an image in a compression that is not read': {
    content: { blobs: XZ.blobs, entries: [named(XZ.root, 'app:1')] },
    expected: 'UNSUPPORTED',
    tagged: true,
  },
  'images that the policy refuses': {
    content: { blobs: ONE.blobs, entries: [named(ONE.root, 'app:1')] },
    selection: { policy: { choose: () => [], check: () => {} } },
    expected: 'NOT_FOUND',
    tagged: true,
  },
};

/**
 * The same content gives the same images, the same names and the same refusals, wherever it is, and what is made of it is whole.
 */
export function selectionContract(name: string, place: SelectionPlace): void {
  const { hasIndex = true, readsVersion = true } = place;
  const cases = Object.entries(CASES).filter(
    ([, { tagged = false, isOfVersion = false }]) => (hasIndex || tagged) && (readsVersion || !isOfVersion),
  );

  describe(`images are chosen from ${name}`, () => {
    test.each(cases)('%s', async (_, { content, selection = {}, expected }) => {
      expect(await chosen(place, content, selection)).toEqual(expected);
    });

    test.each(cases)('%s: merge takes the same', async (_, { content, selection = {}, expected }) => {
      const found = await answerOf(async (to) => {
        const from = [await place.open(content, selection)];
        await merge({ ...selection, from, to });
      });
      expect(found).toEqual(withoutLayers(expected));
    });

    const archived = cases.filter(([, { isArchived = true }]) => isArchived);
    test.each(archived)(
      '%s: an archive of it has the same',
      async (_, { content, selection = {}, expected }) => {
        const found = await answerOf(async (to) => {
          const from = [await place.open(content, selection)];
          const archive = await exportArchive({ ...selection, from, format: 'oci' });
          await save({ from: { archive }, to, compress: 'none' });
        });
        expect(found).toEqual(withoutLayers(expected));
      },
    );
  });
}

function withoutLayers(expected: Answer): Omit<AnsweredImage, 'layers'>[] | string {
  if (typeof expected === 'string') return expected;
  return expected.map(({ digest, names }) => ({ digest, names }));
}

async function chosen(
  place: SelectionPlace,
  content: SelectionContent,
  selection: Selection,
): Promise<Answer> {
  const layers = new Map<string, number>();
  const found = await answerOf(async (to) => {
    const from = await place.open(content, selection);
    const { images } = await save({ ...selection, from, to, compress: 'none' });
    for (const image of images) layers.set(image.digest, image.layers.length);
  });
  if (typeof found === 'string') return found;
  return found.map((image) => ({ ...image, layers: layers.get(image.digest) ?? -1 }));
}

/** What a verb puts into a layout, or the code of its refusal. */
async function answerOf(
  verb: (to: Layout) => Promise<unknown>,
): Promise<Omit<AnsweredImage, 'layers'>[] | string> {
  try {
    const to = await Layout.create(`${await temporaryFolder()}/to`);
    await verb(to);
    const { problems } = await verify({ layout: to });
    if (problems.length > 0) throw new Error('it is damaged', { cause: problems });
    return (await to.images()).map(({ root: { digest }, names }) => ({ digest, names }));
  } catch (error) {
    if (!isDrayageError(error)) throw error;
    // An archive lacks what is missing; another place is asked for it. Both are exit code 4.
    return error.code === 'INCOMPLETE' ? 'NOT_FOUND' : error.code;
  }
}

/** The blobs of an image of several platforms, without one of its manifests. */
function withoutArm({ blobs }: SampleImage): SampleImage['blobs'] {
  return blobs.filter(([{ digest }]) => digest !== ARM.root.digest);
}

function named(root: Descriptor, name: string): Descriptor {
  return {
    ...root,
    annotations: {
      'io.containerd.image.name': `docker.io/library/${name}`,
      'org.opencontainers.image.ref.name': name,
    },
  };
}

function worded(root: Descriptor, word: string): Descriptor {
  return { ...root, annotations: { 'org.opencontainers.image.ref.name': word } };
}

/** A manifest.json that lists images by their names, over the blobs of a layout. */
function dockerManifest(images: Readonly<Record<string, SampleImage>>): string {
  return JSON.stringify(
    Object.entries(images).map(([name, { blobs, layers }]) => ({
      Config: blobs.flatMap(([blob]) => (blob.mediaType === OCI_CONFIG ? blobName(blob.digest) : []))[0],
      RepoTags: [name],
      Layers: layers.map(({ digest }) => blobName(digest)),
    })),
  );
}

/** A manifest over a config and one blob of these types. */
function artifact(
  configType: string,
  blobType: string,
): { root: Descriptor; blobs: [Descriptor, Uint8Array][] } {
  const content = Buffer.from('content');
  const rootfs = { type: 'layers', diff_ids: [describeBytes(content).digest] };
  const config = Buffer.from(JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs }));
  const blobs: [Descriptor, Uint8Array][] = [
    [describeBytes(config, configType), config],
    [describeBytes(content, blobType), content],
  ];
  const [first, second] = blobs.map(([descriptor]) => descriptor);
  const manifest = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: OCI_MANIFEST, config: first, layers: [second] }),
  );
  const root = describeBytes(manifest, OCI_MANIFEST);
  return { root, blobs: [...blobs, [root, manifest]] };
}
