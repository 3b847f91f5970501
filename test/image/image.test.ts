import { describe, expect, test } from 'vitest';
import type { WalkNode } from '../../src/image/contents.ts';
import { walk } from '../../src/image/contents.ts';
import { images, readImage } from '../../src/image/image.ts';
import { formatPlatform, parsePlatform } from '../../src/oci/platform.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { toDocument } from '../../src/oci/manifest.ts';
import { DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST } from '../../src/oci/media-types.ts';
import type { SampleImage } from '../layout/sample-images.ts';
import { sampleImage, sampleIndex, sampleReferrer } from '../layout/sample-images.ts';
import { json } from '../oci/documents.ts';
import { MemoryContent } from '../support/memory-content.ts';

const AMD = sampleImage(['base', 'app'], 'amd64');
const ARM = sampleImage(['base', 'arm'], 'arm64');
const BOTH = sampleIndex([AMD, ARM]);

/** An attestation as buildx makes it: an artifact for unknown/unknown. */
function attestation(of: SampleImage): SampleImage {
  const made = sampleReferrer(of.root, 'attestation');
  return { ...made, root: { ...made.root, platform: { os: 'unknown', architecture: 'unknown' } } };
}

function contentOf(...samples: SampleImage[]): MemoryContent {
  return new MemoryContent(samples.flatMap(({ blobs }) => blobs.map(([, bytes]) => bytes)));
}

async function collect(source: MemoryContent, root: Descriptor): Promise<WalkNode[]> {
  const nodes = [];
  for await (const node of walk(source, root)) nodes.push(node);
  return nodes;
}

function digestsOf(nodes: readonly WalkNode[]): string[] {
  return nodes.map((node) => ('document' in node ? node.document : node).descriptor.digest);
}

describe('the image of a root', () => {
  test.each([
    ['a manifest', AMD, {}, AMD],
    ['a manifest for the platform', AMD, { platform: 'linux/amd64' }, AMD],
    ['a manifest for another platform than preferred', ARM, { prefer: 'linux/amd64' }, ARM],
    ['an index, without a platform the first', BOTH, {}, AMD],
    ['an index, for the platform', BOTH, { platform: 'linux/arm64' }, ARM],
    ['an index, for the platform by another name', BOTH, { platform: 'linux/aarch64' }, ARM],
    ['an index, as preferred', BOTH, { prefer: 'linux/arm64' }, ARM],
    [
      'an index, the platform before what is preferred',
      BOTH,
      { platform: 'linux/amd64', prefer: 'linux/arm64' },
      AMD,
    ],
  ])('%s', async (_, { root }, { platform, prefer }: { platform?: string; prefer?: string }, expected) => {
    const image = await readImage(contentOf(BOTH), root, {
      platform: platform === undefined ? undefined : parsePlatform(platform),
      prefer: prefer === undefined ? undefined : parsePlatform(prefer),
    }).catch((error: unknown) => error);
    expect(image).toMatchObject({
      manifest: { descriptor: { digest: expected.root.digest } },
      config: { descriptor: { digest: expected.config.digest } },
      layers: expected.layers.map((blob, i) => ({ diffId: expected.diffIds[i], blob })),
    });
  });

  test.each([
    ['a manifest', AMD, { platform: 'linux/arm64' }, ['linux/amd64']],
    ['an index', BOTH, { platform: 'linux/s390x' }, ['linux/amd64', 'linux/arm64']],
    [
      'an index of several, none of them preferred',
      BOTH,
      { prefer: 'linux/s390x' },
      ['linux/amd64', 'linux/arm64'],
    ],
  ])('is not there: %s', async (_, { root }, wanted, candidates) => {
    const options = Object.fromEntries(
      Object.entries(wanted).map(([key, text]) => [key, parsePlatform(text)]),
    );
    await expect(readImage(contentOf(BOTH), root, options)).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining(Object.values(wanted)[0] ?? '') as string,
      facts: { digest: root.digest, candidates },
    });
  });

  test('an attestation beside it is passed over', async () => {
    const index = withChildren([AMD, attestation(AMD)]);
    const image = await readImage(contentOf(index), index.root, { prefer: parsePlatform('linux/s390x') });
    expect(image.manifest.descriptor.digest).toBe(AMD.root.digest);
  });

  test('of a sparse index what is there is taken', async () => {
    const image = await readImage(sparse(BOTH, AMD), BOTH.root);
    expect(image.config.descriptor.digest).toBe(ARM.config.digest);
  });

  test.each([
    ['an artifact', sampleReferrer(AMD.root)],
    ['an index of attestations only', withChildren([attestation(AMD)])],
  ])('%s is no image', async (_, artifact) => {
    await expect(readImage(contentOf(artifact), artifact.root)).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      facts: { digest: artifact.root.digest },
    });
  });

  test('images come in the order of the index', async () => {
    const index = withChildren([ARM, attestation(ARM), AMD]);
    const platforms = [];
    for await (const { config } of images(contentOf(index), index.root))
      platforms.push(formatPlatform(config.value));
    expect(platforms).toEqual(['linux/arm64', 'linux/amd64']);
  });
});

describe('the closure of a root', () => {
  test('has parents before children and each digest once', async () => {
    const nodes = await collect(contentOf(BOTH), BOTH.root);
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
    const nodes = await collect(sparse(BOTH, AMD), BOTH.root);
    expect(nodes.slice(0, 3).map(({ kind }) => kind)).toEqual(['index', 'absent', 'manifest']);
    expect(digestsOf(nodes)[1]).toBe(AMD.root.digest);
  });

  test('has blobs that are absent, since they are only named', async () => {
    const source = contentOf(AMD);
    for (const { digest } of AMD.layers) source.blobs.delete(digest);
    expect(await collect(source, AMD.root)).toHaveLength(4);
  });

  test('an absent root is an error', async () => {
    await expect(collect(new MemoryContent(), AMD.root)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('a damaged document is an error', async () => {
    const source = contentOf(BOTH);
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
    for (let i = 0; i < depth; i++) nested = withChildren([nested]);
    const result = await collect(contentOf(nested), nested.root).catch((error: unknown) => error);
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

/** An index over these, their platforms included. */
function withChildren(children: readonly SampleImage[]): SampleImage {
  const manifests = children.map(({ root }) => root);
  const index = toDocument(OCI_INDEX, JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests }));
  const blobs = children.flatMap((child) => child.blobs);
  return { ...AMD, root: index.descriptor, blobs: [...blobs, [index.descriptor, index.bytes]] };
}

/** All of it without the manifest of one image. */
function sparse(all: SampleImage, without: SampleImage): MemoryContent {
  const source = contentOf(all);
  source.blobs.delete(without.root.digest);
  return source;
}
