import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { DrayageError } from '../../../src/errors.ts';
import { overlay } from '../../../src/content/overlay.ts';
import { Layout } from '../../../src/layout/layout.ts';
import { BASE_DIGEST, BASE_NAME } from '../../../src/oci/annotations.ts';
import { OMITTED_LAYERS } from '../../../src/image/annotations.ts';
import type { Descriptor } from '../../../src/oci/descriptor.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import type { ProgressEvent } from '../../../src/progress.ts';
import type { PromoteOptions, PromoteResult } from '../../../src/verbs/promote/promote.ts';
import { promote } from '../../../src/verbs/promote/promote.ts';
import { Registries } from '../../../src/registry/registries.ts';
import type { SampleImage } from '../../../src/testing/sample-images.ts';
import {
  addSample,
  imageOf,
  sampleImage,
  sampleIndex,
  sampleReferrer,
} from '../../../src/testing/sample-images.ts';
import { always, PLANTED } from '../../registry/registries.ts';
import { FakeRegistry } from '../../support/fake-registry.ts';
import type { FakeRegistryOptions } from '../../support/fake-registry-store.ts';
import { MemoryContent } from '../../support/memory-content.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const APP = sampleImage(['base', 'app']);
const OTHER = sampleImage(['base', 'other']);

/** A layout with an image under names. */
async function layoutOf(
  image: SampleImage,
  names: string[] = ['app:1'],
  annotations: Record<string, string> = {},
  without: Descriptor[] = [],
): Promise<Layout> {
  const layout = await Layout.create(join(await temporaryFolder(), 'layout'));
  await layout.update((transaction) => addSample(transaction, image, names, annotations, without));
  return layout;
}

function registries(): Registries {
  const made = new Registries(async () => ({
    credentials: always(PLANTED),
    retry: { delay: async () => {} },
  }));
  onTestFinished(() => made[Symbol.asyncDispose]());
  return made;
}

async function start(options: FakeRegistryOptions = {}): Promise<FakeRegistry> {
  return FakeRegistry.start(options);
}

/** Promotes the one image of a layout. */
async function promoteTo(
  layout: Layout,
  to: string[],
  options: Partial<PromoteOptions> = {},
): Promise<PromoteResult> {
  return promote({ from: [layout], promotions: [{ to }], registries: registries(), ...options });
}

/** Everything that an image consists of is in a repository, byte for byte. */
function expectWhole(fake: FakeRegistry, path: string, image: SampleImage): void {
  const { blobs, manifests } = fake.store.repository(path);
  for (const [{ digest }, bytes] of image.blobs) {
    const held = blobs.get(digest) ?? manifests.get(digest)?.bytes;
    expect(held?.equals(bytes), digest).toBe(true);
  }
}

describe('an image is promoted', () => {
  test('under its own digest and all tags, to several registries', async () => {
    const [one, two] = [await start({ auth: 'token' }), await start({ chunkedOnly: true })];
    const refs = [`${one.host}/group/app:1`, `${one.host}/group/app:1.2`, `${two.host}/app:latest`];
    const { images, bytes } = await promoteTo(await layoutOf(APP), refs);
    const { digest } = APP.root;
    expect(images).toEqual([
      {
        name: 'app:1',
        id: APP.config.digest,
        digest,
        tags: refs.map((ref) => ({
          ref,
          digestRef: `${ref.slice(0, ref.lastIndexOf(':'))}@${digest}`,
          status: 'set',
          was: null,
        })),
      },
    ]);
    expectWhole(one, 'group/app', APP);
    expectWhole(two, 'app', APP);
    expect([...one.store.repository('group/app').tags]).toEqual([
      ['1', digest],
      ['1.2', digest],
    ]);
    const size = [...APP.layers, APP.config].reduce((sum, blob) => sum + blob.size, 0);
    expect(bytes).toEqual({ sent: 2 * size, mounted: 0, present: 0, total: 2 * size });
  });

  test('again without a byte', async () => {
    const fake = await start();
    const layout = await layoutOf(APP);
    await promoteTo(layout, [`${fake.host}/app:1`]);
    const before = fake.received;
    const { images, bytes } = await promoteTo(layout, [`${fake.host}/app:1`]);
    expect(fake.received).toBe(before);
    expect(bytes.sent).toBe(0);
    expect(images[0]?.tags[0]?.status).toBe('present');
    expect(fake.requests(/^(?:PUT|POST|PATCH)/).filter((line) => !line.includes('uploads'))).toHaveLength(2);
  });

  test('again by one request for its manifest and one for each tag', async () => {
    const fake = await start();
    const layout = await layoutOf(sampleImage(Array.from({ length: 20 }, (_, i) => `layer ${i}`)));
    const to = ['1', '1.2', 'latest'].map((tag) => `${fake.host}/app:${tag}`);
    await promoteTo(layout, to);
    const before = fake.requests().length;
    const { images, bytes } = await promoteTo(layout, to);
    expect(fake.requests().slice(before)).toEqual([
      `HEAD /v2/app/manifests/${images[0]?.digest}`,
      ...['1', '1.2', 'latest'].map((tag) => `HEAD /v2/app/manifests/${tag}`),
    ]);
    expect(bytes.present).toBe(bytes.total);
  });

  test('again with the parts of an index that the registry has removed', async () => {
    const fake = await start();
    const arm = sampleImage(['base', 'arm'], 'arm64');
    const index = sampleIndex([APP, arm]);
    const layout = await layoutOf(index);
    await promoteTo(layout, [`${fake.host}/app:1`]);
    const { manifests, blobs } = fake.store.repository('app');
    manifests.delete(arm.root.digest);
    for (const { digest } of arm.layers.slice(1)) blobs.delete(digest);
    const { bytes } = await promoteTo(layout, [`${fake.host}/app:1`]);
    expect(bytes.sent).toBe(arm.layers[1]?.size);
    expectWhole(fake, 'app', index);
  });

  test('with all its platforms and what refers to them', async () => {
    for (const referrers of [true, false]) {
      const fake = await start({ referrers });
      const index = sampleIndex([APP, sampleImage(['arm'], 'arm64')]);
      const signature = sampleReferrer(index.root);
      const countersignature = sampleReferrer(signature.root, 'countersignature');
      const sbom = sampleReferrer(APP.root, 'sbom');
      const layout = await layoutOf(index);
      await layout.update(async (transaction) => {
        for (const one of [signature, countersignature, sbom]) await addSample(transaction, one);
      });
      const to = [`${fake.host}/app:1`];
      await promoteTo(layout, to);
      for (const image of [index, signature, countersignature, sbom]) expectWhole(fake, 'app', image);
      const repository = await registries().repository(`${fake.host}/app`);
      const found = await repository.referrers(index.root);
      expect(found).toEqual([
        {
          ...signature.root,
          artifactType: 'application/vnd.example.signature',
          annotations: { note: 'signature' },
        },
      ]);
      expect(await repository.referrers(APP.root)).toHaveLength(1);
      const puts = fake.requests(/^PUT/).length;
      await promoteTo(layout, to);
      expect(fake.requests(/^PUT/)).toHaveLength(puts);
    }
  });

  test('with what vouches for it where that was asked, and of the rest what is asked for', async () => {
    const [good, junk] = [sampleReferrer(APP.root, 'good'), sampleReferrer(APP.root, 'junk')];
    const layout = await layoutOf(APP);
    await layout.update(async (transaction) => {
      for (const one of [good, junk]) await addSample(transaction, one);
    });
    const fake = await start();
    const events: ProgressEvent[] = [];
    const options: Partial<PromoteOptions> = {
      authenticate: async () => [good.root],
      onProgress: (event) => void events.push(event),
    };
    await promoteTo(layout, [`${fake.host}/app:1`], options);
    const { manifests, blobs } = fake.store.repository('app');
    expect(manifests.has(good.root.digest)).toBe(true);
    expect([manifests.has(junk.root.digest), blobs.has(junk.layers[0]?.digest ?? expect.fail())]).toEqual([
      false,
      false,
    ]);
    expect(events).toContainEqual({
      kind: 'note',
      message: expect.stringMatching(/^app:1: 1 of what .* stays here/) as string,
      reason: 'NOT_VOUCHED',
    });
    await promoteTo(layout, [`${fake.host}/app:1`], {
      ...options,
      attach: ['application/vnd.example.signature'],
    });
    expect(manifests.has(junk.root.digest)).toBe(true);
  });

  test('with what cosign tags, under that tag; what is there under it stays', async () => {
    const signature = sampleImage(['signature']);
    const tag = `${APP.root.digest.replace(':', '-')}.sig`;
    const layout = await layoutOf(APP);
    await layout.update(async (transaction) => {
      await addSample(transaction, signature);
      transaction.remove(signature.root.digest);
      transaction.add(signature.root, [], { 'org.opencontainers.image.ref.name': tag });
    });
    const fake = await start({ referrers: false });
    await promoteTo(layout, [`${fake.host}/app:1`]);
    const { tags } = fake.store.repository('app');
    expect([...tags]).toEqual([
      [tag, signature.root.digest],
      ['1', APP.root.digest],
    ]);
    tags.set(tag, APP.root.digest);
    await promoteTo(layout, [`${fake.host}/app:1`]);
    expect(tags.get(tag)).toBe(APP.root.digest);
  });

  test('to another repository of the registry by taking over what the first one has', async () => {
    const fake = await start({ auth: 'token' });
    const { bytes } = await promoteTo(await layoutOf(APP), [`${fake.host}/a:1`, `${fake.host}/b:1`]);
    expect(bytes.mounted).toBe(bytes.sent);
    expect(fake.received).toBe(bytes.sent);
    expectWhole(fake, 'b', APP);
    const third = await promoteTo(await layoutOf(APP), [`${fake.host}/c:1`], {
      mountFrom: [await registries().repository(`${fake.host}/a`)],
    });
    expect(third.bytes).toMatchObject({ sent: 0, mounted: bytes.sent });
  });

  test('with the layers that it shares with one before it sent once', async () => {
    const fake = await start();
    const layout = await layoutOf(APP);
    await layout.update((transaction) => addSample(transaction, OTHER, ['other:1']));
    const { bytes } = await promote({
      from: [layout],
      promotions: [
        { image: 'app:1', to: [`${fake.host}/app:1`] },
        { image: 'other:1', to: [`${fake.host}/other:1`] },
      ],
      registries: registries(),
    });
    expect(bytes.mounted).toBe(APP.layers[0]?.size);
  });
});

test('every image with a name goes where its name says, and one without a name stays', async () => {
  const fake = await start();
  const layout = await layoutOf(APP);
  await layout.update(async (transaction) => {
    await addSample(transaction, OTHER, ['other:2']);
    await addSample(transaction, sampleImage(['unnamed']));
  });
  const { images } = await promote({
    from: [layout],
    promotions: (name) => [`${fake.host}/all/${name}`],
    registries: registries(),
  });
  expect(images.map(({ name, digest, tags }) => [name, digest, tags[0]?.ref])).toEqual([
    ['app:1', APP.root.digest, `${fake.host}/all/app:1`],
    ['other:2', OTHER.root.digest, `${fake.host}/all/other:2`],
  ]);
});

test('a promote opens each document of an image once, and of what refers to it', async () => {
  const fake = await start();
  const index = sampleIndex([APP, sampleImage(['arm'], 'arm64')]);
  const signature = sampleReferrer(APP.root);
  const layout = await layoutOf(index);
  await layout.update((transaction) => addSample(transaction, signature));
  const opened: Descriptor[] = [];
  const from = overlay(layout, {
    open: async (descriptor, options) => (opened.push(descriptor), layout.open(descriptor, options)),
  });
  await promoteTo(layout, [`${fake.host}/app:1`], { from: [from] });
  const documents = opened.filter(({ mediaType }) => mediaType.endsWith('json'));
  expect(documents).toHaveLength(7);
  expect(new Set(documents.map(({ digest }) => digest)).size).toBe(7);
});

describe('a tag', () => {
  test('that moves is told', async () => {
    const fake = await start();
    const to = [`${fake.host}/app:latest`];
    await promoteTo(await layoutOf(OTHER), to);
    const { images } = await promoteTo(await layoutOf(APP), to);
    expect(images[0]?.tags[0]).toMatchObject({ status: 'moved', was: OTHER.root.digest });
  });

  test('that must not move is not moved, and nothing is sent', async () => {
    const fake = await start();
    const to = [`${fake.host}/app:1`, `${fake.host}/app:2`];
    await promoteTo(await layoutOf(OTHER), to.slice(1));
    const before = fake.received;
    const again = promoteTo(await layoutOf(APP), to, { ifAbsent: true });
    await expect(again).rejects.toMatchObject({ code: 'UNSAFE', facts: { actual: OTHER.root.digest } });
    expect(fake.received).toBe(before);
    expect(fake.store.repository('app').tags.has('1')).toBe(false);
    const same = await promoteTo(await layoutOf(OTHER), to.slice(1), { ifAbsent: true });
    expect(same.images[0]?.tags[0]?.status).toBe('present');
  });

  test('that another sets meanwhile is not moved either', async () => {
    const fake = await start();
    const { tags, manifests } = fake.store.repository('app');
    const bytes = Buffer.from(OTHER.blobs.at(-1)?.[1] ?? []);
    manifests.set(OTHER.root.digest, { mediaType: OTHER.root.mediaType, bytes });
    fake.faults.registry = ({ method }) => {
      if (method === 'PUT') tags.set('1', OTHER.root.digest);
      return 'pass';
    };
    const promoting = promoteTo(await layoutOf(APP), [`${fake.host}/app:1`], { ifAbsent: true });
    await expect(promoting).rejects.toMatchObject({ code: 'UNSAFE' });
    expect(tags.get('1')).toBe(OTHER.root.digest);
  });

  test('does not move where one registry fails', async () => {
    const [one, two] = [await start(), await start()];
    two.faults.registry = ({ method }, response) =>
      method === 'PUT' ? void response.writeHead(403).end() : 'pass';
    const promoting = promoteTo(await layoutOf(APP), [`${one.host}/app:1`, `${two.host}/app:1`]);
    await expect(promoting).rejects.toMatchObject({ code: 'DENIED', facts: { status: 403 } });
    expect(one.store.repository('app').tags.size).toBe(0);
  });

  test('cannot be two images', async () => {
    const fake = await start();
    const layout = await layoutOf(APP);
    await layout.update((transaction) => addSample(transaction, OTHER, ['other:1']));
    const to = [`${fake.host}/app:1`];
    const promotions = ['app:1', 'other:1'].map((image) => ({ image, to }));
    const promoting = promote({ from: [layout], promotions, registries: registries() });
    await expect(promoting).rejects.toMatchObject({ code: 'AMBIGUOUS' });
    const which = promoteTo(layout, to);
    await expect(which).rejects.toMatchObject({
      code: 'AMBIGUOUS',
      facts: { candidates: ['app:1', 'other:1'] },
    });
    expect(fake.received).toBe(0);
  });

  test('by digest is none', async () => {
    const fake = await start();
    const to = [`${fake.host}/app@${APP.root.digest}`];
    await expect(promoteTo(await layoutOf(APP), to)).rejects.toMatchObject({ code: 'USAGE' });
  });
});

describe('an image without its base', () => {
  const [baseLayer = APP.config] = APP.layers;
  const baseBytes = Buffer.from(APP.blobs.find(([{ digest }]) => digest === baseLayer.digest)?.[1] ?? []);
  const thin = async (host: string): Promise<Layout> =>
    layoutOf(
      APP,
      ['app:1'],
      { [OMITTED_LAYERS]: '1', [BASE_NAME]: `${host}/library/base:1`, [BASE_DIGEST]: OTHER.root.digest },
      [baseLayer],
    );

  test('takes it over inside the registry', async () => {
    const fake = await start({ auth: 'token' });
    fake.store.repository('library/base').blobs.set(baseLayer.digest, baseBytes);
    const { bytes } = await promoteTo(await thin(fake.host), [`${fake.host}/app:1`]);
    expect(bytes.mounted).toBe(baseLayer.size);
    expectWhole(fake, 'app', APP);
  });

  test('gets it from the registry that has it', async () => {
    const [base, fake] = [await start({ redirect: true }), await start()];
    base.store.repository('library/base').blobs.set(baseLayer.digest, baseBytes);
    await promoteTo(await thin(base.host), [`${fake.host}/app:1`]);
    expectWhole(fake, 'app', APP);
  });

  test('gets it from any other place, and then opens no base', async () => {
    const [base, fake] = [await start(), await start()];
    const opened: string[] = [];
    await promoteTo(await thin(base.host), [`${fake.host}/app:1`], {
      blobs: [new MemoryContent([baseBytes])],
      openBase: async (name) => {
        opened.push(name);
        return registries().repository(name);
      },
    });
    expectWhole(fake, 'app', APP);
    expect(opened).toEqual([]);
  });

  test.each([
    ['whose layer is proven', APP],
    ['whose layer has to be read', sampleImage(['never proven', 'app'])],
  ])('%s is not promoted where its base is gone', async (_, image) => {
    const [base, fake] = [await start(), await start()];
    const [first = image.config] = image.layers;
    await promoteTo(await layoutOf(APP), [`${(await start()).host}/proven:1`]);
    const layout = await layoutOf(
      image,
      ['app:1'],
      {
        [OMITTED_LAYERS]: '1',
        [BASE_NAME]: `${base.host}/library/base:1`,
        [BASE_DIGEST]: OTHER.root.digest,
      },
      [first],
    );
    const error: unknown = await promoteTo(layout, [`${fake.host}/app:1`]).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'UNREACHABLE', facts: { digest: first.digest } });
    const { message, hint } = error instanceof DrayageError ? error : expect.fail('no error');
    expect(`${message} ${hint}`).toContain(`${base.host}/library/base:1@sha256:`);
    expect(fake.store.repository('app').tags.size).toBe(0);
  });
});

test('what is damaged in the layout is not promoted', async () => {
  const fake = await start();
  const [layer = APP.config] = APP.layers;
  const layout = await layoutOf(APP);
  const path = join(layout.path, 'blobs', layer.digest.replace(':', '/'));
  for (const [code, spoil] of [
    ['DIGEST_MISMATCH', () => writeFile(path, Buffer.alloc(layer.size))],
    ['NOT_FOUND', () => rm(path)],
  ] as const) {
    await spoil();
    const promoting = promoteTo(layout, [`${fake.host}/app:1`]);
    await expect(promoting).rejects.toMatchObject({ code, facts: { digest: layer.digest } });
  }
  expect(fake.store.repository('app').blobs.has(layer.digest)).toBe(false);
  expect(fake.store.repository('app').tags.size).toBe(0);
});

test('zstd layers are pointed out, once', async () => {
  const notes: string[] = [];
  const onProgress = (event: ProgressEvent): void =>
    void (event.kind === 'note' && notes.push(event.message));
  const fake = await start();
  const layer = Buffer.from('zstd, says its type');
  const image = imageOf([[digestOf(layer), layer]]);
  const text = Buffer.from(image.blobs.at(-1)?.[1] ?? [])
    .toString()
    .replaceAll('tar+gzip', 'tar+zstd');
  const { toDocument } = await import('../../../src/oci/manifest.ts');
  const manifest = toDocument(image.root.mediaType, text);
  const zstd: SampleImage = {
    ...image,
    root: manifest.descriptor,
    blobs: [...image.blobs.slice(0, -1), [manifest.descriptor, manifest.bytes]],
  };
  await promoteTo(await layoutOf(zstd), [`${fake.host}/app:1`, `${fake.host}/app:2`], { onProgress });
  expect(notes).toEqual([expect.stringContaining('docker before 23')]);
  await promoteTo(await layoutOf(APP), [`${fake.host}/b:1`], { onProgress });
  expect(notes).toHaveLength(1);
});

test('a policy decides what is promoted', async () => {
  const fake = await start();
  const policy = {
    choose: (): never[] => {
      throw new Error('refused');
    },
    check: () => {},
  };
  await expect(promoteTo(await layoutOf(APP), [`${fake.host}/app:1`], { policy })).rejects.toThrow('refused');
  expect(fake.seen).toEqual([]);
});

test('promoting ends with the reason of a signal', async () => {
  const fake = await start();
  const controller = new AbortController();
  fake.faults.registry = ({ method }) => {
    if (method === 'PUT') controller.abort(new Error('enough'));
    return 'pass';
  };
  const { signal } = controller;
  await expect(promoteTo(await layoutOf(APP), [`${fake.host}/app:1`], { signal })).rejects.toThrow('enough');
});

test('what one layout leaves out is taken from another', async () => {
  const fake = await FakeRegistry.start();
  const [base] = APP.layers;
  const thin = await layoutOf(APP, ['app:1'], { [OMITTED_LAYERS]: '1' }, base === undefined ? [] : [base]);
  const from = [thin, await layoutOf(OTHER, ['base:1'])];
  const promotions = [{ image: 'app:1', to: [`${fake.host}/app:1`] }];
  await promoteTo(thin, [], { from, promotions });
  expectWhole(fake, 'app', APP);
});
