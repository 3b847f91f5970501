import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { ImagePlace } from '../../src/content/image-index.ts';
import { overlay } from '../../src/content/overlay.ts';
import { DrayageError } from '../../src/errors.ts';
import { Layout } from '../../src/layout/layout.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { Registries } from '../../src/registry/registries.ts';
import { selectEach } from '../../src/select/select.ts';
import type { Selection } from '../../src/select/selection.ts';
import { exportArchive } from '../../src/verbs/export.ts';
import { fetchImages } from '../../src/verbs/fetch.ts';
import { load } from '../../src/verbs/load/load.ts';
import { merge } from '../../src/verbs/merge.ts';
import { promote } from '../../src/verbs/promote/promote.ts';
import { save } from '../../src/verbs/save/save.ts';
import { addSample, sampleImage } from '../../src/testing/sample-images.ts';
import { always, PLANTED } from '../registry/registries.ts';
import { FakeRegistry } from '../support/fake-registry.ts';
import { MemoryEndpoint } from '../support/memory-endpoint.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const APP = sampleImage(['base', 'app']);

async function newLayout(): Promise<Layout> {
  return Layout.create(join(await temporaryFolder(), 'layout'));
}

/** A place with an image, and the digests that were opened there. */
async function watched(): Promise<{ place: ImagePlace; opened: Digest[] }> {
  const layout = await newLayout();
  await layout.update((transaction) => addSample(transaction, APP, ['app:1']));
  const opened: Digest[] = [];
  const place = overlay(layout, {
    open: async (descriptor, options) => {
      opened.push(descriptor.digest);
      return layout.open(descriptor, options);
    },
  });
  return { place, opened };
}

/** Every verb that reads layers of images which it chooses. */
const VERBS: [string, (place: ImagePlace, selection: Selection) => Promise<unknown>][] = [
  ['fetch', async (place, selection) => fetchImages({ ...selection, from: [place], to: await newLayout() })],
  ['merge', async (place, selection) => merge({ ...selection, from: [place], to: await newLayout() })],
  ['save', async (place, selection) => save({ ...selection, from: place, to: await newLayout() })],
  ['load', async (place, selection) => load({ ...selection, from: [place], to: new MemoryEndpoint() })],
  ['export', async (place, selection) => exportArchive({ ...selection, from: [place] })],
  ['promote', promoted],
  ['sign and inspect', async (place, selection) => selectEach([place], selection)],
];

async function promoted(place: ImagePlace, selection: Selection): Promise<unknown> {
  const fake = await FakeRegistry.start();
  const registries = new Registries(async () => ({ credentials: always(PLANTED) }));
  onTestFinished(() => registries[Symbol.asyncDispose]());
  const promotions = [{ to: [`${fake.host}/app:1`] }];
  try {
    return await promote({ ...selection, from: [place], promotions, registries });
  } finally {
    if (selection.policy !== undefined) expect(fake.requests()).toEqual([]);
  }
}

function refused(): never {
  throw new DrayageError('POLICY', 'refused');
}

test.each(VERBS)('%s asks the policy and who made an image before it reads a layer', async (_, run) => {
  const { place, opened } = await watched();
  for (const selection of [
    { policy: { choose: refused, check: refused } },
    { policy: { choose: (images: readonly never[]) => [...images], check: refused } },
    { authenticate: async () => refused() },
  ]) {
    await expect(run(place, selection)).rejects.toMatchObject({ code: 'POLICY' });
  }
  expect(opened.filter((digest) => APP.layers.some((layer) => layer.digest === digest))).toEqual([]);
});
