import { describe, expect, test } from 'vitest';
import { connectDocker } from '../../../src/docker/daemon.ts';
import { Layout } from '../../../src/layout/layout.ts';
import type { ProgressEvent } from '../../../src/progress.ts';
import { save } from '../../../src/verbs/save/save.ts';
import { verify } from '../../../src/verbs/verify/verify.ts';
import { FakeContentStore } from '../../support/fake-content-store.ts';
import { FakeDaemon } from '../../support/fake-daemon.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { makeCargo } from '../cargo.ts';

const FIRST = makeCargo({ layers: ['base', 'first'] });
const SECOND = makeCargo({ layers: ['base', 'second'] });

async function start(apiVersion = '1.51') {
  const fake = await FakeDaemon.start({ kind: 'containerd', apiVersion });
  const store = new FakeContentStore(fake, [
    [FIRST, 'first:1'],
    [SECOND, 'second:1'],
  ]);
  const daemon = await connectDocker({ host: fake.host });
  const layout = await Layout.create(`${await temporaryFolder()}/layout`);
  await save({ from: daemon, images: ['first:1'], to: layout });
  store.given.length = 0;
  fake.seen.length = 0;
  return { fake, store, daemon, layout };
}

/** What the daemon has beyond the two images. */
const left = (fake: FakeDaemon): string[] =>
  fake.images.map(({ id }) => id).filter((id) => id !== FIRST.root.digest && id !== SECOND.root.digest);

describe('an image of a containerd store that shares layers with the layout', () => {
  test('brings its documents and the blobs that the layout lacks, and leaves nothing in the daemon', async () => {
    const { fake, store, daemon, layout } = await start();
    const { images } = await save({ from: daemon, images: ['second:1'], to: layout });
    const given = store.given.flat();
    expect(given).toContain(SECOND.layers[1]?.digest);
    expect(given).not.toContain(SECOND.layers[0]?.digest);
    expect(images[0]?.layers.map(({ status }) => status)).toEqual(['reused', 'written']);
    expect(images[0]?.digest).toBe(SECOND.root.digest);
    expect((await verify({ layout })).problems).toEqual([]);
    await daemon.close();
    expect(left(fake)).toEqual([]);
  });

  test('brings nothing where it is held whole', async () => {
    const { fake, store, daemon, layout } = await start();
    await save({ from: daemon, images: ['first:1'], to: layout });
    expect(store.given).toEqual([]);
    expect(fake.lines.every((line) => line.startsWith('GET /images/first:1/json'))).toBe(true);
  });

  test.each(['1.47', '1.44'])('comes whole where the daemon speaks API %s', async (apiVersion) => {
    const { fake, store, daemon, layout } = await start(apiVersion);
    await save({ from: daemon, images: ['second:1'], to: layout });
    expect(store.given.flat()).toContain(SECOND.layers[0]?.digest);
    expect(fake.lines.filter((line) => line.startsWith('POST'))).toEqual([]);
  });

  test.each([
    ['refuses to load', 'POST /images/load'],
    ['says nothing of what it has loaded', 'POST /images/load'],
  ])('comes whole where the daemon %s', async (what, route) => {
    const { fake, store, daemon, layout } = await start();
    fake.handlers.set(route, (request, response) => {
      request.resume();
      response.writeHead(what.startsWith('refuses') ? 500 : 200).end('{"message":"no"}');
    });
    const { images } = await save({ from: daemon, images: ['second:1'], to: layout });
    expect(images[0]?.digest).toBe(SECOND.root.digest);
    expect(store.given.flat()).toContain(SECOND.layers[0]?.digest);
  });

  test('comes whole where the blobs come damaged, and that is said', async () => {
    const { fake, store, daemon, layout } = await start();
    let count = 0;
    fake.handlers.set('GET /images/get', (request, response) => {
      const digest = SECOND.layers[1]?.digest ?? '';
      const bytes = store.blobs.get(digest);
      if (++count === 2) store.blobs.delete(digest);
      store.save(request, response);
      if (bytes !== undefined) store.blobs.set(digest, bytes);
    });
    const events: ProgressEvent[] = [];
    const onProgress = (event: ProgressEvent): void => void events.push(event);
    const { images } = await save({ from: daemon, images: ['second:1'], to: layout, onProgress });
    expect(images[0]?.digest).toBe(SECOND.root.digest);
    expect(events.filter(({ kind }) => kind === 'note')).toHaveLength(1);
    await daemon.close();
    expect(left(fake)).toEqual([]);
  });

  test('leaves nothing in the daemon where it is aborted midway', async () => {
    const { fake, store, daemon, layout } = await start();
    const controller = new AbortController();
    const reason = new Error('enough');
    let count = 0;
    fake.handlers.set('GET /images/get', (request, response) => {
      if (++count === 1) store.save(request, response);
      else controller.abort(reason);
    });
    const saved = save({ from: daemon, images: ['second:1'], to: layout, signal: controller.signal });
    await expect(saved).rejects.toBe(reason);
    await daemon.close();
    expect(count).toBe(2);
    expect(left(fake)).toEqual([]);
  });
});

test('an image of which the daemon lacks content is an error that says so', async () => {
  const { store, daemon } = await start();
  store.blobs.delete(SECOND.layers[1]?.digest ?? '');
  const layout = await Layout.create(`${await temporaryFolder()}/empty`);
  await expect(save({ from: daemon, images: ['second:1'], to: layout })).rejects.toMatchObject({
    code: 'INCOMPLETE',
    message: expect.stringContaining('second:1') as string,
    facts: { digest: SECOND.layers[1]?.digest },
  });
});
