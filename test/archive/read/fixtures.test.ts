import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import type { ArrivedImage } from '../../../src/content/arrived-image.ts';
import { ORIGINAL_INDEX } from '../../../src/image/annotations.ts';
import { walk } from '../../../src/image/contents.ts';
import { isReference, normalizeName } from '../../../src/oci/reference.ts';
import type { MemoryContent } from '../../support/archives/memory-content.ts';
import { gather } from '../../support/archives/plain-ingest.ts';
import type { ReadResult } from '../../support/archives/read-bytes.ts';
import { readBytes } from '../../support/archives/read-bytes.ts';
import { carriedLayers } from '../../support/fixtures.ts';

const FOLDER = new URL('../../../fixtures/', import.meta.url);

interface ExpectedImage {
  tags: string[];
  configDigest: string;
  diffIds: string[];
  incomplete?: string[];
}
interface Expected {
  images: ExpectedImage[];
  manifests?: {
    digest: string;
    mediaType: string;
    children?: { digest: string; attestation?: true; configDigest?: string; diffIds?: string[] }[];
  }[];
}

const expected: Record<string, Expected> = JSON.parse(
  await readFile(new URL('expected.json', FOLDER), 'utf8'),
);
const fixture = async (name: string): Promise<Buffer> => readFile(new URL(name, FOLDER));

const complete = Object.entries(expected).filter(([, { images }]) =>
  images.every(({ incomplete }) => !incomplete),
);

describe('what the real producers wrote is read as docker sees it', () => {
  test.each(complete)('%s', async (name, { images, manifests }) => {
    const read = await readBytes(await fixture(name));
    expect(read.images.map(summary)).toEqual(images.map((image) => expectedSummary(image, manifests)));
    for (const { root } of read.images) await expectWhole(read.content, root);
  });

  test.each(complete.map(([name]) => name))('%s, a byte at a time', async (name) => {
    const whole = await readBytes(await fixture(name));
    const { images } = await readBytes(await fixture(name), { chunk: name.endsWith('.tar') ? 7 : 1 });
    expect(images).toEqual(whole.images);
  });

  test.each(Object.entries(expected).filter(([, { images }]) => images.some(({ incomplete }) => incomplete)))(
    '%s is refused, since content is missing',
    async (name, { images }) => {
      const [absent] = images[0]?.incomplete ?? [];
      const reading = readBytes(await fixture(name));
      await expect(reading).rejects.toMatchObject({ code: 'INCOMPLETE', facts: { digest: absent } });
    },
  );
});

describe('which document leads to the image', () => {
  test.each([
    ['docker-28-containerd-classic.tar', 'the manifest over gzip layers'],
    ['docker-28-containerd-gzip.tar', 'the docker manifest over gzip layers'],
    ['docker-28-containerd-zstd.tar', 'the manifest over zstd layers'],
    ['docker-28-containerd-attestation.tar', 'the index with its attestation'],
    ['docker-28-containerd-platforms.tar', 'the index of several platforms'],
    ['buildx-oci.layout.tar', 'the index with its attestation'],
    ['buildx-docker.tar', 'the manifest over gzip layers'],
    ['podman-oci-archive.tar', 'the manifest over gzip layers'],
  ])('%s: %s is kept', async (name) => {
    const { images } = await readBytes(await fixture(name));
    const listed = (expected[name]?.manifests ?? []).map(({ digest, mediaType }) => ({ digest, mediaType }));
    for (const { root } of images)
      expect(listed).toContainEqual({ digest: root.digest, mediaType: root.mediaType });
  });

  test.each([
    'docker-28-graph.tar',
    'docker-28-containerd-loaded.tar',
    'podman-oci-archive-uncompressed.tar',
  ])('%s: a manifest is written over the compressed layers, and kept with keepManifests', async (name) => {
    const listed = new Set<string>(expected[name]?.manifests?.map(({ digest }) => digest));
    const written = await readBytes(await fixture(name));
    expect(written.images.filter(({ root }) => listed.has(root.digest))).toEqual([]);
    const kept = await readBytes(await fixture(name), { keepManifests: true });
    expect(namedRoots(kept).every((digest) => listed.has(digest))).toBe(true);
    for (const { root } of kept.images) await expectWhole(kept.content, root);
    const plain = await readBytes(await fixture(name), { codec: 'none' });
    expect(namedRoots(plain)).toEqual(namedRoots(kept));
  });

  test('of an index that lacks a platform, what is there: an index that names nothing else', async () => {
    const { images, content } = await readBytes(await fixture('docker-28-containerd-sparse.tar'));
    const [image] = images;
    expect(images).toHaveLength(1);
    expect(image?.annotations).toEqual({
      [ORIGINAL_INDEX]: 'sha256:9c2b2451e3defd049e7c498c0f4330883652c117bc106b3f8491a730caca2ad1',
    });
    const kinds: string[] = [];
    const digests: string[] = [];
    for await (const node of walk(content, image?.root ?? expect.fail())) {
      kinds.push(node.kind);
      if (node.kind === 'manifest') digests.push(node.document.descriptor.digest);
    }
    expect(kinds).not.toContain('absent');
    expect(digests).toHaveLength(2);
    expect(digests).toContain('sha256:14f1f96a1ab949ea01d365fe67a704df34592c0a81a73d596272b9906b55fb72');
  });
});

/** An untagged image need not be listed in index.json. */
function namedRoots({ images }: ReadResult): string[] {
  return images.filter(({ names }) => names.length > 0).map(({ root }) => root.digest);
}

function summary({ names, id, layers }: ArrivedImage): unknown {
  return { names: names.toSorted(), config: id, diffIds: layers.map(({ diffId }) => diffId) };
}

function expectedSummary(image: ExpectedImage, manifests: Expected['manifests']): unknown {
  const full = image.tags.filter((tag) => /[:/]/.test(tag) && isReference(tag));
  const names = full.map(normalizeName).toSorted();
  return { names, config: image.configDigest, diffIds: carriedLayers(image, { manifests }) };
}

async function expectWhole(content: MemoryContent, root: ArrivedImage['root']): Promise<void> {
  for await (const node of walk(content, root)) {
    expect(node.kind).not.toBe('absent');
    if (node.kind === 'blob') await gather(await content.open(node.descriptor));
  }
}
