import { describe, expect, test } from 'vitest';
import { images, readImage } from '../../src/image/image.ts';
import { formatPlatform, parsePlatform } from '../../src/oci/platform.ts';
import { sampleImage, sampleIndex, sampleReferrer } from '../../src/testing/sample-images.ts';
import { contentOf, sampleAttestation } from '../layout/sample-images.ts';

const AMD = sampleImage(['base', 'app'], 'amd64');
const ARM = sampleImage(['base', 'arm'], 'arm64');
const BOTH = sampleIndex([AMD, ARM]);

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
    const image = await readImage(contentOf([BOTH]), root, {
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
    await expect(readImage(contentOf([BOTH]), root, options)).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining(Object.values(wanted)[0] ?? '') as string,
      facts: { digest: root.digest, candidates },
    });
  });

  test('an attestation beside it is passed over', async () => {
    const index = sampleIndex([AMD, sampleAttestation(AMD)]);
    const image = await readImage(contentOf([index]), index.root, { prefer: parsePlatform('linux/s390x') });
    expect(image.manifest.descriptor.digest).toBe(AMD.root.digest);
  });

  test('of a sparse index what is there is taken', async () => {
    const image = await readImage(contentOf([BOTH], [AMD.root]), BOTH.root);
    expect(image.config.descriptor.digest).toBe(ARM.config.digest);
  });

  test.each([
    ['an artifact', sampleReferrer(AMD.root)],
    ['an index of attestations only', sampleIndex([sampleAttestation(AMD)])],
  ])('%s is no image', async (_, artifact) => {
    await expect(readImage(contentOf([artifact]), artifact.root)).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      facts: { digest: artifact.root.digest },
    });
  });

  test('images come in the order of the index', async () => {
    const index = sampleIndex([ARM, sampleAttestation(ARM), AMD]);
    const platforms = [];
    for await (const { config } of images(contentOf([index]), index.root))
      platforms.push(formatPlatform(config.value));
    expect(platforms).toEqual(['linux/arm64', 'linux/amd64']);
  });
});
