import { once } from 'node:events';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { Layout } from '../../../../src/layout/layout.ts';
import { addSample, imageOf } from '../../../../src/testing/sample-images.ts';
import type { SaveResult } from '../../../../src/verbs/save/options.ts';
import { save } from '../../../../src/verbs/save/save.ts';
import { verify } from '../../../../src/verbs/verify/verify.ts';
import type { TestCargo } from '../../../docker/cargo.ts';
import { makeCargo } from '../../../docker/cargo.ts';
import { MemoryEndpoint } from '../../../support/memory-endpoint.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

let count = 0;

/** An image over a base that a layout holds compressed; no other test has its layers, so that nothing is proven yet. */
async function start(compressed?: (base: TestCargo, other: TestCargo) => TestCargo) {
  const text = `base ${count++} ${'x'.repeat(5000)}`;
  const plain = makeCargo({ layers: [text, 'app'], compress: false });
  const base = makeCargo({ layers: [text] });
  const stored = compressed?.(base, makeCargo({ layers: ['other'] })) ?? base;
  const blobs = [...stored.source.blobs.values()].filter((bytes) => bytes[0] === 0x1f);
  const image = imageOf(blobs.map((bytes) => [base.diffIds[0] ?? expect.fail(), bytes]));
  const layout = await Layout.create(`${await temporaryFolder()}/layout`);
  await layout.update((transaction) => addSample(transaction, image, ['base:1']));
  const daemon = new MemoryEndpoint();
  // As docker's graph store: it packs the whole archive first.
  daemon.spools = true;
  await daemon.hold(plain.root, plain.source, ['app:1']);
  return { daemon, layout, diffId: base.diffIds[0] ?? expect.fail(), blob: image.layers[0] };
}

/** A daemon's archive with a changed byte in the content of a layer. */
async function changed(archive: Readable, diffId: string): Promise<Buffer> {
  const bytes = await buffer(archive);
  const at = bytes.indexOf(`${diffId.slice('sha256:'.length)}.tar`) + 512 + 2000;
  bytes[at] = bytes.readUInt8(at) ^ 1;
  return bytes;
}

const statuses = ({ images }: SaveResult): (string | undefined)[][] =>
  images.map(({ layers }) => layers.map(({ status }) => status));

test('the bytes of a layer that the daemon states are not used where the layout holds it', async () => {
  const { daemon, layout, diffId, blob } = await start();
  const whole = daemon.save.bind(daemon);
  daemon.save = async (...args) => Readable.from([await changed(await whole(...args), diffId)]);
  const result = await save({ from: daemon, images: ['app:1'], to: layout });
  expect(statuses(result)).toEqual([['reused', 'written']]);
  expect(result.images[0]?.layers[0]).toMatchObject({ digest: blob?.digest, diffId });
  expect(await verify({ layout })).toMatchObject({ problems: [] });
});

test('the same bytes in an archive, which only claims what it holds, are refused', async () => {
  const { daemon, layout, diffId } = await start();
  const archive = await changed(await daemon.save('app:1'), diffId);
  await expect(save({ from: { archive: Readable.from([archive]) }, to: layout })).rejects.toMatchObject({
    code: 'DIGEST_MISMATCH',
  });
});

test('a blob that the layout only claims to be the layer does not stand for it', async () => {
  const { daemon, layout, diffId } = await start((_, other) => other);
  const result = await save({ from: daemon, images: ['app:1'], to: layout });
  expect(statuses(result)).toEqual([['written', 'written']]);
  const [layer] = result.images[0]?.layers ?? [];
  expect(layer?.diffId).toBe(diffId);
  await layout.update(async (transaction) => {
    for (const { root, names } of await layout.images())
      if (names.includes('base:1')) transaction.remove(root.digest);
  });
  expect(await verify({ layout })).toMatchObject({ problems: [] });
});

test('held layers are proven while the daemon packs them', async () => {
  const { daemon, layout, blob } = await start();
  const opened = new EventTarget();
  const open = layout.open.bind(layout);
  layout.open = async (descriptor, options) => {
    if (descriptor.digest === blob?.digest) opened.dispatchEvent(new Event('blob'));
    return open(descriptor, options);
  };
  const whole = daemon.save.bind(daemon);
  daemon.save = async (...args) => {
    const archive = await whole(...args);
    return Readable.from(
      (async function* () {
        // Not before the layout is being read.
        await proven;
        yield* archive;
      })(),
    );
  };
  const proven = once(opened, 'blob');
  expect(statuses(await save({ from: daemon, images: ['app:1'], to: layout }))).toEqual([
    ['reused', 'written'],
  ]);
});

test('a save that fails leaves no proof running', async () => {
  const { daemon, layout, blob } = await start();
  const open = layout.open.bind(layout);
  let ended: Promise<unknown> | undefined;
  layout.open = async (descriptor, options) => {
    if (descriptor.digest !== blob?.digest) return open(descriptor, options);
    // A disk that does not answer.
    const never = new Readable({ read: () => {} });
    ended = once(never, 'close');
    options?.signal?.addEventListener('abort', () => never.destroy());
    return never;
  };
  daemon.save = async () => {
    throw new Error('the daemon is gone');
  };
  await expect(save({ from: daemon, images: ['app:1'], to: layout })).rejects.toThrow('the daemon is gone');
  await ended;
});
