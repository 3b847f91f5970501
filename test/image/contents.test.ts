import { describe, expect, test } from 'vitest';
import type { ImageContents, WalkNode } from '../../src/image/contents.ts';
import { contentsOf, walk } from '../../src/image/contents.ts';
import { OMITTED_LAYERS } from '../../src/image/annotations.ts';
import type { DrayageError } from '../../src/errors.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { toDocument } from '../../src/oci/manifest.ts';
import { DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST } from '../../src/oci/media-types.ts';
import type { SampleImage } from '../../src/testing/sample-images.ts';
import { sampleImage, sampleIndex, sampleReferrer } from '../../src/testing/sample-images.ts';
import { contentOf, sampleAttestation, withForeignLayer } from '../layout/sample-images.ts';
import { json } from '../oci/documents.ts';
import { MemoryContent } from '../support/memory-content.ts';

const AMD = sampleImage(['base', 'app'], 'amd64');
const ARM = sampleImage(['base', 'arm'], 'arm64');
const BOTH = sampleIndex([AMD, ARM]);

const NESTED = sampleIndex([BOTH, AMD]);
const ATTESTATION = sampleAttestation(AMD);
const BUILT = sampleIndex([AMD, ATTESTATION]);
const ARTIFACT = sampleReferrer(AMD.root);
const [BASE = AMD.config, TOP = AMD.config] = AMD.layers;
const PLAIN = { ...ARTIFACT.config, mediaType: 'application/vnd.buildkit.cacheconfig.v0' };
/** An index that lists blobs beside an image, among them its first layer. */
const LISTING = sampleIndex([AMD], [PLAIN, BASE]);
const TWICE = sampleImage(['base', 'app', 'base']);
const FOREIGN = withForeignLayer();
const SOMEWHERE = withForeignLayer(['https://example.org/layer']);

type Told = Record<Exclude<keyof ImageContents, 'root'>, string[]>;

/** What is told of a root, by digest. */
async function told(
  sample: SampleImage,
  without: readonly Descriptor[] = [],
  annotations?: Record<string, string>,
): Promise<Told> {
  const contents = await contentsOf(contentOf([sample], without), sample.root, { annotations });
  const { root, documents, images, ...blobs } = contents;
  expect(root).toBe(documents.at(-1));
  const all = { ...blobs, documents: descriptors(documents), images: descriptors(images) };
  return Object.fromEntries(
    Object.entries(all).map(([key, list]) => [key, list.map(({ digest }) => digest)]),
  ) as Told;
}

function descriptors(documents: readonly { descriptor: Descriptor }[]): Descriptor[] {
  return documents.map(({ descriptor }) => descriptor);
}

const omits = (count: number): Record<string, string> => ({ [OMITTED_LAYERS]: String(count) });

describe('a root leads to', () => {
  type Case = [
    string,
    SampleImage,
    { without?: Descriptor[]; annotations?: Record<string, string> },
    Partial<Record<keyof ImageContents, readonly (Descriptor | undefined)[]>>,
  ];
  const image = { documents: [AMD.root], images: [AMD.root] };
  const foreign = { documents: [FOREIGN.root], images: [FOREIGN.root] };
  test.each<Case>([
    ['an image', AMD, {}, { ...image, blobs: [AMD.config, BASE, TOP] }],
    [
      'a blob that is named twice, once',
      TWICE,
      {},
      { documents: [TWICE.root], images: [TWICE.root], blobs: [TWICE.config, BASE, TOP] },
    ],
    [
      'the images of an index, which comes last; what they share once',
      BOTH,
      {},
      {
        documents: [ARM.root, AMD.root, BOTH.root],
        images: [AMD.root, ARM.root],
        blobs: [AMD.config, BASE, TOP, ARM.config, ARM.layers[1]],
      },
    ],
    [
      'blobs that an index lists itself, after those of its images',
      { ...LISTING, blobs: [...LISTING.blobs, [PLAIN, Buffer.from('{}')]] },
      {},
      { documents: [AMD.root, LISTING.root], images: [AMD.root], blobs: [AMD.config, BASE, TOP, PLAIN] },
    ],
    [
      'what an index lists itself and is absent: a blob as such, a layer as omitted',
      LISTING,
      { without: [BASE], annotations: omits(1) },
      {
        documents: [AMD.root, LISTING.root],
        images: [AMD.root],
        blobs: [AMD.config, TOP],
        omitted: [BASE],
        absent: [PLAIN],
      },
    ],
    [
      'an index in an index, both after what they list',
      NESTED,
      {},
      {
        documents: [ARM.root, AMD.root, BOTH.root, NESTED.root],
        images: [AMD.root, ARM.root],
        blobs: [AMD.config, BASE, TOP, ARM.config, ARM.layers[1]],
      },
    ],
    [
      'what a sparse index has',
      BOTH,
      { without: [AMD.root, AMD.config, TOP] },
      {
        documents: [ARM.root, BOTH.root],
        images: [ARM.root],
        blobs: [ARM.config, ...ARM.layers],
        absent: [AMD.root],
      },
    ],
    [
      'an attestation, which is no image',
      BUILT,
      {},
      {
        documents: [ATTESTATION.root, AMD.root, BUILT.root],
        images: [AMD.root],
        blobs: [AMD.config, BASE, TOP, ATTESTATION.config, ...ATTESTATION.layers],
      },
    ],
    [
      'an artifact with a config of its own, which is no image',
      ARTIFACT,
      { annotations: omits(1), without: ARTIFACT.layers },
      { documents: [ARTIFACT.root], blobs: [ARTIFACT.config, ...ARTIFACT.layers] },
    ],
    [
      'layers that are absent, and are damage',
      AMD,
      { without: [BASE] },
      { ...image, blobs: [AMD.config, BASE, TOP] },
    ],
    [
      'omitted layers',
      AMD,
      { without: [BASE], annotations: omits(1) },
      { ...image, blobs: [AMD.config, TOP], omitted: [BASE] },
    ],
    [
      'layers that are said to be omitted, and are present',
      AMD,
      { annotations: omits(1) },
      { ...image, blobs: [AMD.config, BASE, TOP] },
    ],
    [
      'an omitted layer and one above that is absent, which is damage',
      AMD,
      { without: [BASE, TOP], annotations: omits(1) },
      { ...image, blobs: [AMD.config, TOP], omitted: [BASE] },
    ],
    [
      'an omitted layer that comes again further up',
      TWICE,
      { without: [BASE], annotations: omits(1) },
      { documents: [TWICE.root], images: [TWICE.root], blobs: [TWICE.config, TOP], omitted: [BASE] },
    ],
    [
      'the omitted layers of each image of an index',
      BOTH,
      { without: [BASE], annotations: omits(1) },
      {
        documents: [ARM.root, AMD.root, BOTH.root],
        images: [AMD.root, ARM.root],
        blobs: [AMD.config, TOP, ARM.config, ARM.layers[1]],
        omitted: [BASE],
      },
    ],
    [
      'a non-distributable layer that is present',
      FOREIGN,
      {},
      { ...foreign, blobs: [FOREIGN.config, ...FOREIGN.layers] },
    ],
    [
      'a non-distributable layer that is absent',
      FOREIGN,
      { without: FOREIGN.layers },
      { ...foreign, blobs: [FOREIGN.config], nonDistributable: FOREIGN.layers },
    ],
    [
      'a non-distributable layer that is absent, and says where it is',
      SOMEWHERE,
      { without: SOMEWHERE.layers },
      {
        documents: [SOMEWHERE.root],
        images: [SOMEWHERE.root],
        blobs: [SOMEWHERE.config],
        nonDistributable: SOMEWHERE.layers,
      },
    ],
  ])('%s', async (_, sample, { without, annotations }, expected) => {
    const empty = { documents: [], images: [], blobs: [], omitted: [], nonDistributable: [], absent: [] };
    expect(await told(sample, without, annotations)).toEqual(
      Object.fromEntries(
        Object.entries({ ...empty, ...expected }).map(([key, list]) => [
          key,
          (list as (Descriptor | undefined)[]).map((one) => one?.digest),
        ]),
      ),
    );
  });

  test.each([
    ['omitted', AMD, BASE],
    ['non-distributable', FOREIGN, FOREIGN.layers[0] ?? expect.fail()],
  ])('a layer that is damaged where it might be %s', async (_, sample, layer) => {
    const source = contentOf([sample]);
    source.blobs.set(layer.digest, Buffer.alloc(1));
    const { blobs } = await contentsOf(source, sample.root, { annotations: omits(1) });
    expect(blobs).toContainEqual(layer);
  });

  test('no layer that is said to be omitted, where that is taken as stated', async () => {
    const { blobs, omitted } = await contentsOf(contentOf([AMD]), AMD.root, {
      annotations: omits(1),
      asStated: true,
    });
    expect([blobs, omitted]).toEqual([[AMD.config, TOP], [BASE]]);
  });

  test('an index after all that it lists, also what is listed at two depths', async () => {
    const inner = sampleIndex([AMD]);
    const outer = sampleIndex([inner, BOTH, AMD]);
    const top = sampleIndex([BOTH, outer, inner]);
    const { documents } = await told(top);
    expect(documents).toHaveLength(6);
    for (const [above, below] of [
      [inner, AMD],
      [BOTH, AMD],
      [outer, inner],
      [outer, BOTH],
      [top, outer],
    ] as const)
      expect(documents.indexOf(above.root.digest)).toBeGreaterThan(documents.indexOf(below.root.digest));
  });

  test('an error where what is said to be omitted is no number', async () => {
    await expect(told(AMD, [], { [OMITTED_LAYERS]: 'all' })).rejects.toMatchObject({ code: 'MALFORMED' });
  });

  test('the rest, where a child cannot be read and somebody hears of that', async () => {
    const source = contentOf([BOTH]);
    source.blobs.set(AMD.root.digest, Buffer.alloc(AMD.root.size, ' '));
    const problems: DrayageError[] = [];
    const onDamaged = (error: DrayageError): void => void problems.push(error);
    const { images } = await contentsOf(source, BOTH.root, { onDamaged });
    expect(descriptors(images).map(({ digest }) => digest)).toEqual([ARM.root.digest]);
    expect(problems).toMatchObject([{ code: 'DIGEST_MISMATCH', facts: { digest: AMD.root.digest } }]);
    await expect(contentsOf(source, BOTH.root)).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
    await expect(contentsOf(source, AMD.root, { onDamaged })).rejects.toMatchObject({
      code: 'DIGEST_MISMATCH',
    });
  });
});

async function collect(source: MemoryContent, root: Descriptor): Promise<WalkNode[]> {
  const nodes = [];
  for await (const node of walk(source, root)) nodes.push(node);
  return nodes;
}

function digestsOf(nodes: readonly WalkNode[]): string[] {
  return nodes.map((node) => ('document' in node ? node.document : node).descriptor.digest);
}

describe('a walk from a root', () => {
  test('has parents before children and each digest once', async () => {
    const nodes = await collect(contentOf([BOTH]), BOTH.root);
    expect(nodes.map(({ kind }) => kind)).toEqual([
      'index',
      'manifest',
      'blob',
      'blob',
      'blob',
      'manifest',
      'blob',
      'blob',
    ]);
    const [, second] = ARM.layers;
    expect(digestsOf(nodes)).toEqual(
      [BOTH.root, AMD.root, AMD.config, ...AMD.layers, ARM.root, ARM.config, second].map(
        (descriptor) => descriptor?.digest,
      ),
    );
  });

  test('names absent children, and goes on', async () => {
    const nodes = await collect(contentOf([BOTH], [AMD.root]), BOTH.root);
    expect(nodes.slice(0, 3).map(({ kind }) => kind)).toEqual(['index', 'absent', 'manifest']);
    expect(digestsOf(nodes)[1]).toBe(AMD.root.digest);
  });

  test('has blobs that are absent, since they are only named', async () => {
    const source = contentOf([AMD]);
    for (const { digest } of AMD.layers) source.blobs.delete(digest);
    expect(await collect(source, AMD.root)).toHaveLength(4);
  });

  test('an absent root is an error', async () => {
    await expect(collect(new MemoryContent(), AMD.root)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('a damaged document is an error', async () => {
    const source = contentOf([BOTH]);
    source.blobs.set(ARM.root.digest, Buffer.alloc(ARM.root.size, ' '));
    await expect(collect(source, BOTH.root)).rejects.toMatchObject({
      code: 'DIGEST_MISMATCH',
      facts: { digest: ARM.root.digest },
    });
  });

  test.each([
    [4, undefined],
    [5, 'LIMIT'],
  ])('%d indexes above an image: %s', async (depth, code) => {
    let nested: SampleImage = AMD;
    for (let i = 0; i < depth; i++) nested = sampleIndex([nested]);
    const result = await collect(contentOf([nested]), nested.root).catch((error: unknown) => error);
    if (code === undefined) expect(result).toHaveLength(depth + 4);
    else expect(result).toMatchObject({ code, message: expect.stringContaining('nested') as string });
  });

  test.each([
    [9_999, undefined],
    [10_000, 'LIMIT'],
  ])('%d children: %s', async (count, code) => {
    const manifests = [...Array(count).keys()].map((i) => ({
      mediaType: OCI_MANIFEST,
      digest: `sha256:${i.toString(16).padStart(64, '0')}`,
      size: 1,
    }));
    const { descriptor, bytes } = toDocument(OCI_INDEX, JSON.stringify({ schemaVersion: 2, manifests }));
    const result = await collect(new MemoryContent([bytes]), descriptor).catch((error: unknown) => error);
    if (code === undefined) expect(result).toHaveLength(count + 1);
    else expect(result).toMatchObject({ code, message: expect.stringContaining('documents') as string });
  });

  const { config, layers } = AMD;
  test.each([
    ['an OCI manifest that states nothing', OCI_MANIFEST, undefined, undefined],
    ['a docker manifest that states nothing', DOCKER_MANIFEST, undefined, 'MALFORMED'],
    ['a docker manifest that is called an OCI one', OCI_MANIFEST, DOCKER_MANIFEST, 'MALFORMED'],
    ['an OCI manifest that is called a docker one', DOCKER_MANIFEST, OCI_MANIFEST, 'MALFORMED'],
    ['a manifest that is called an index', OCI_INDEX, OCI_MANIFEST, 'MALFORMED'],
    ['something else', 'text/plain', OCI_MANIFEST, 'UNSUPPORTED'],
  ])('%s', async (_, mediaType, stated, code) => {
    const bytes = json({ schemaVersion: 2, mediaType: stated, config, layers });
    const root = { mediaType, digest: digestOf(bytes), size: bytes.length };
    const result = await collect(new MemoryContent([bytes]), root).catch((error: unknown) => error);
    if (code === undefined) expect(result).toHaveLength(4);
    else expect(result).toMatchObject({ code });
  });
});
