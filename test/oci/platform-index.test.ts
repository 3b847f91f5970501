import { expect, test } from 'vitest';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { parseIndex } from '../../src/oci/image-index.ts';
import { OCI_INDEX, OCI_MANIFEST } from '../../src/oci/media-types.ts';
import type { Platform } from '../../src/oci/platform.ts';
import type { PlatformManifest, PlatformPart } from '../../src/oci/platform-index.ts';
import { platformIndex } from '../../src/oci/platform-index.ts';

const AMD64 = { os: 'linux', architecture: 'amd64' };
const ARM64 = { os: 'linux', architecture: 'arm64' };
const ARM = { os: 'linux', architecture: 'arm', variant: 'v7' };

function descriptor(text: string, mediaType = OCI_MANIFEST): Descriptor {
  return { mediaType, digest: digestOf(Buffer.from(text)), size: text.length };
}

function manifest(text: string, platform: Platform): PlatformManifest {
  return { ...descriptor(text), platform };
}

/** A part that is one manifest. */
function single(text: string, platform: Platform): PlatformPart {
  const one = manifest(text, platform);
  return { root: descriptor(text), manifests: [one], others: [], listed: new Set([one.digest]) };
}

/** A part that is an index. */
function index(
  manifests: PlatformManifest[],
  others: Descriptor[] = [],
  absent: Descriptor[] = [],
): PlatformPart {
  const all = [...manifests, ...others, ...absent];
  const root = descriptor(all.map(({ digest }) => digest).join(' '), OCI_INDEX);
  return { root, manifests, others, listed: new Set([root, ...all].map(({ digest }) => digest)) };
}

/** A part that is no image. */
function artifact(text: string): PlatformPart {
  const root = descriptor(text);
  return { root, manifests: [], others: [root], listed: new Set([root.digest]) };
}

function entriesOf({ document }: ReturnType<typeof platformIndex>): Descriptor[] {
  return parseIndex(document?.bytes ?? expect.fail('no new index'), 'the index').manifests;
}

test('images of several platforms become an index with each platform, in their order', () => {
  const made = platformIndex('app:1', [single('c', ARM64), single('a', ARM), single('b', AMD64)]);
  expect(String(Buffer.from(made.document?.bytes ?? []))).toBe(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_INDEX,
      manifests: [
        { ...descriptor('b'), platform: { architecture: 'amd64', os: 'linux' } },
        { ...descriptor('a'), platform: { architecture: 'arm', os: 'linux', variant: 'v7' } },
        { ...descriptor('c'), platform: { architecture: 'arm64', os: 'linux' } },
      ],
    }),
  );
  expect(made.root).toEqual({
    mediaType: OCI_INDEX,
    digest: digestOf(made.document?.bytes ?? Buffer.alloc(0)),
    size: made.document?.bytes.length,
  });
});

test('the bytes do not depend on the order of the parts, nor on that in them', () => {
  const note = {
    ...descriptor('note'),
    annotations: { 'vnd.docker.reference.type': 'attestation-manifest' },
  };
  const parts = [index([manifest('a', AMD64), manifest('b', ARM)], [note]), single('c', ARM64)];
  const turned = [single('c', ARM64), index([manifest('b', ARM), manifest('a', AMD64)], [note])];
  expect(platformIndex('app:1', turned).root).toEqual(platformIndex('app:1', parts).root);
  expect(entriesOf(platformIndex('app:1', parts)).at(-1)).toEqual(note);
});

test('what one of the parts alone says of an image does not depend on their order either', () => {
  const told = { ...manifest('a', AMD64), annotations: { note: 'told' } };
  const parts = [index([told, manifest('b', ARM)]), single('a', AMD64), single('c', ARM64)];
  expect(platformIndex('app:1', parts.toReversed())).toEqual(platformIndex('app:1', parts));
});

test('an image that several parts have is listed once', () => {
  const made = platformIndex('app:1', [
    index([manifest('a', AMD64), manifest('b', ARM)]),
    index([manifest('a', AMD64), manifest('c', ARM64)]),
  ]);
  expect(entriesOf(made)).toHaveLength(3);
});

test('an index that lists everything already stands, whether all of it is there or not', () => {
  const whole = index([manifest('a', AMD64)], [], [descriptor('b')]);
  expect(platformIndex('app:1', [single('b', ARM64), whole])).toEqual({ root: whole.root });
});

test.each([
  ['the same platform', AMD64, AMD64, 'app:1 means two images for linux/amd64: '],
  [
    'two ways to write a platform',
    ARM64,
    { ...ARM64, variant: 'v8' },
    'app:1 means two images for linux/arm64',
  ],
  ['a platform that is not told', AMD64, { os: '', architecture: '' }, 'app:1 means two images'],
])('different images for %s are ambiguous', (_, one, other, message) => {
  const parts = [single('a', one), single('b', other)];
  const digests = parts.map(({ root }) => root.digest);
  expect(() => platformIndex('app:1', parts)).toThrow(
    expect.objectContaining({
      code: 'AMBIGUOUS',
      message: expect.stringContaining(message) as string,
      facts: expect.objectContaining({ candidates: expect.arrayContaining(digests) as string[] }) as object,
    }) as Error,
  );
});

test('two versions of Windows, or two variants of arm, are platforms of their own', () => {
  const windows = { os: 'windows', architecture: 'amd64' };
  const parts = [
    single('a', { ...windows, 'os.version': '10.0.17763.1' }),
    single('b', { ...windows, 'os.version': '10.0.20348.2' }),
    single('c', ARM),
    single('d', { ...ARM, variant: 'v6' }),
  ];
  expect(entriesOf(platformIndex('app:1', parts))).toHaveLength(4);
});

test('parts without an image of any platform are two things under one name', () => {
  expect(() => platformIndex('app:1', [artifact('a'), artifact('b')])).toThrow(
    expect.objectContaining({ code: 'AMBIGUOUS' }) as Error,
  );
});
