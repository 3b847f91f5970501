import { join } from 'node:path';
import { readdir, readlink, writeFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { expect, test, vi } from 'vitest';
import { writeDockerArchive } from '../../src/archive/write/docker.ts';
import { connectDocker } from '../../src/docker/daemon.ts';
import { readImage } from '../../src/image/image.ts';
import { Layout } from '../../src/layout/layout.ts';
import { MemoryStore } from '../../src/memory/memory-store.ts';
import { once } from '../../src/stream/tap.ts';
import { copy } from '../../src/verbs/copy.ts';
import { load } from '../../src/verbs/load/load.ts';
import { save } from '../../src/verbs/save/save.ts';
import { openArchive } from '../../src/verbs/open-archive.ts';
import { makeCargo } from '../docker/cargo.ts';
import { FakeDaemon } from '../support/fake-daemon.ts';
import { fixtureArchive } from '../support/fixtures.ts';
import { MemoryEndpoint } from '../support/memory-endpoint.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const CARGO = makeCargo({ layers: ['base', 'app'] });

async function archiveOf(names: readonly string[]): Promise<Buffer> {
  const image = await readImage(CARGO.source, CARGO.root);
  return buffer(writeDockerArchive([{ image, names }], CARGO.source));
}

/** The files that this process has open. */
async function openFiles(): Promise<string[]> {
  const names = await readdir('/proc/self/fd');
  return Promise.all(names.map(async (name) => readlink(`/proc/self/fd/${name}`).catch(() => '')));
}

test('an archive in a file is a place: its images are found by name, and can be copied from it', async () => {
  const path = join(await temporaryFolder(), 'app.tar');
  await writeFile(path, await archiveOf(['app:1']));
  const place = await openArchive(path);
  const [{ root }] = await place.resolve('app:1');
  expect((await readImage(place, root)).config.descriptor.digest).toBe(CARGO.configDigest);
  const to = new MemoryEndpoint();
  await load({ from: [place], to });
  expect(await to.inspect('app:1')).toMatchObject({ diffIds: CARGO.diffIds });
});

test('an archive that is a stream is opened into a layout', async () => {
  const into = await Layout.create(join(await temporaryFolder(), 'layout'));
  const place = await openArchive(fixtureArchive('demo.tar').archive, { into });
  expect(place).toBe(into);
  expect((await into.images()).length).toBeGreaterThan(0);
  const { images } = await copy({ from: place, to: new MemoryEndpoint() });
  expect(images.length).toBeGreaterThan(0);
});

test('a file that is not there, or is cut, is an error that names it', async () => {
  const folder = await temporaryFolder();
  const [absent, cut] = [join(folder, 'absent.tar'), join(folder, 'cut.tar')];
  await writeFile(cut, (await archiveOf(['app:1'])).subarray(0, 2000));
  const into = await Layout.create(join(folder, 'layout'));
  for (const options of [{}, { into }]) {
    const opening = openArchive(absent, options);
    await expect(opening).rejects.toMatchObject({ code: 'NOT_FOUND', facts: { path: absent } });
  }
  await expect(openArchive(cut)).rejects.toMatchObject({ code: 'TRUNCATED', facts: { path: cut } });
});

test('a save reads an archive by its path, and closes it', async () => {
  const path = join(await temporaryFolder(), 'app.tar');
  await writeFile(path, await archiveOf(['app:1']));
  const { images } = await save({ from: { archive: path }, to: new MemoryStore() });
  expect(images).toMatchObject([{ name: 'app:1' }]);
  await vi.waitFor(async () => expect(await openFiles()).not.toContain(path));
  const absent = save({ from: { archive: `${path}.gz` }, to: new MemoryStore() });
  await expect(absent).rejects.toMatchObject({ code: 'NOT_FOUND', facts: { path: `${path}.gz` } });
});

test('a file is closed if nothing is read of it', async () => {
  const path = join(await temporaryFolder(), 'app.tar');
  await writeFile(path, await archiveOf(['app:1']));
  const reason = new Error('no room');
  const into = Object.assign(new MemoryStore(), { update: async () => Promise.reject(reason) });
  await expect(openArchive(path, { into })).rejects.toBe(reason);
  await vi.waitFor(async () => expect(await openFiles()).not.toContain(path));
});

test('a daemon loads an archive as it is, and says what it loaded', async () => {
  const fake = await FakeDaemon.start({ kind: 'graph' });
  await using daemon = await connectDocker({ host: fake.host });
  let sent = 0;
  const bytes = await archiveOf(['app:1']);
  const loaded = await daemon.loadArchive(once(bytes), {
    onProgress: (event) => void (event.kind === 'bytes' && (sent += event.bytes)),
  });
  expect(loaded).toEqual(['app:1']);
  expect(sent).toBe(bytes.length);
  expect(await daemon.inspect('app:1')).toMatchObject({ id: CARGO.configDigest });
});

test('an archive whose load is aborted ends with the reason', async () => {
  const fake = await FakeDaemon.start({ kind: 'graph' });
  await using daemon = await connectDocker({ host: fake.host });
  const loading = daemon.loadArchive(once(await archiveOf(['app:1'])), {
    signal: AbortSignal.abort(new Error('enough')),
  });
  await expect(loading).rejects.toThrow('enough');
});
