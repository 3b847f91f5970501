import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { provenanceOfBuild } from '../../src/attest/statement.ts';
import { readBuild } from '../../src/ci/gitlab/build.ts';
import { Layout } from '../../src/layout/layout.ts';
import { exportArchive } from '../../src/verbs/export.ts';
import { fetchImages } from '../../src/verbs/fetch.ts';
import { load } from '../../src/verbs/load/load.ts';
import { merge } from '../../src/verbs/merge.ts';
import { save } from '../../src/verbs/save/save.ts';
import { sign } from '../../src/verbs/sign.ts';
import type { TestCargo } from '../docker/cargo.ts';
import { makeCargo } from '../docker/cargo.ts';
import { addSample, sampleImage, sampleReferrer } from '../../src/testing/sample-images.ts';
import { SIGNING_JOB } from '../support/gitlab-job.ts';
import { MemoryEndpoint } from '../support/memory-endpoint.ts';
import { MemoryStore } from '../../src/memory/memory-store.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const APP = makeCargo({ layers: ['base', 'middle', 'app'], compress: false });
const BUILD = readBuild(SIGNING_JOB);

async function daemonWith(cargo: TestCargo, name: string): Promise<MemoryEndpoint> {
  const daemon = new MemoryEndpoint();
  await daemon.hold(cargo.root, cargo.source, [name]);
  return daemon;
}

async function layoutWith(texts: string[], name: string, architecture?: string): Promise<Layout> {
  const image = sampleImage(texts, architecture);
  const layout = await Layout.create(join(await temporaryFolder(), 'layout'));
  await layout.update(async (transaction) => {
    await addSample(transaction, image, [name]);
    await addSample(transaction, sampleReferrer(image.root));
  });
  return layout;
}

describe('a store that is no folder', () => {
  test('takes what is saved, and needs nothing again that it holds', async () => {
    const to = new MemoryStore();
    const from = await daemonWith(APP, 'app:1');
    const first = await save({ from, images: ['app:1'], to, compress: 'gzip' });
    expect(first).toMatchObject({ layout: 'memory', images: [{ id: APP.configDigest, name: 'app:1' }] });
    expect(first.images[0]?.layers.map(({ status }) => status)).toEqual(['written', 'written', 'written']);
    const asked = from.saves.length;
    const again = await save({ from, images: ['app:1'], to, compress: 'gzip' });
    expect(again.images[0]?.digest).toBe(first.images[0]?.digest);
    expect(again.images[0]?.layers.map(({ status }) => status)).toEqual(['reused', 'reused', 'reused']);
    expect(from.saves).toHaveLength(asked);
    const more = makeCargo({ layers: ['base', 'middle', 'more'], compress: false });
    const { images } = await save({
      from: { archive: await (await daemonWith(more, 'more:1')).save('more:1') },
      to,
    });
    expect(images[0]?.layers.map(({ status }) => status)).toEqual(['reused', 'reused', 'written']);
    expect((await to.images()).map(({ names }) => names)).toEqual([['app:1'], ['more:1']]);
  });

  test('gives out what was saved: to a daemon, and as an archive', async () => {
    const to = new MemoryStore();
    await save({ from: await daemonWith(APP, 'app:1'), images: ['app:1'], to });
    const { images } = await load({ from: [to], to: new MemoryEndpoint() });
    expect(images).toMatchObject([{ id: APP.configDigest, status: 'loaded', layersSent: 3 }]);
    const back = await save({
      from: { archive: await exportArchive({ from: [to] }) },
      to: new MemoryStore(),
    });
    expect(back.images).toMatchObject([{ id: APP.configDigest }]);
  });

  test('takes what is fetched, with what refers to it', async () => {
    const to = new MemoryStore();
    const from = await layoutWith(['base', 'app'], 'app:1');
    const fetched = await fetchImages({ from: [from], to });
    expect(fetched).toMatchObject({ layout: 'memory', images: [{ name: 'app:1' }], bytes: { reused: 0 } });
    const [image] = await to.images();
    expect(await to.referrers(image?.root ?? expect.fail())).toHaveLength(1);
    expect((await fetchImages({ from: [from], to })).bytes).toMatchObject({ fetched: 0 });
  });

  test('takes what is merged, one name for two platforms', async () => {
    const to = new MemoryStore();
    const from = [await layoutWith(['amd'], 'app:1'), await layoutWith(['arm'], 'app:1', 'arm64')];
    const { images } = await merge({ from, to });
    expect(images).toMatchObject([{ name: 'app:1', platforms: ['linux/amd64', 'linux/arm64'] }]);
    const found = await to.resolve('app:1');
    expect(found.map(({ root }) => root.digest)).toEqual([images[0]?.digest]);
  });

  test('takes signatures', async () => {
    const to = new MemoryStore();
    const saved = await save({ from: await daemonWith(APP, 'app:1'), images: ['app:1'], to });
    const signed = await sign({
      layout: to,
      statement: provenanceOfBuild(BUILD),
      sign: async (statement) => statement,
      now: new Date(0),
    });
    expect(signed).toMatchObject({ layout: 'memory', images: [{ digest: saved.images[0]?.digest }] });
    const [image] = await to.images();
    expect((await to.referrers(image?.root ?? expect.fail())).map(({ digest }) => digest)).toEqual([
      signed.images[0]?.referrer,
    ]);
  });
});
