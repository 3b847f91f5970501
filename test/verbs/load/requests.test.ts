import { expect, test } from 'vitest';
import { originAnnotations } from '../../../src/ci/origin.ts';
import { connectDocker } from '../../../src/docker/daemon.ts';
import { MemoryStore } from '../../../src/memory/memory-store.ts';
import { once } from '../../../src/stream/tap.ts';
import type { LoadResult } from '../../../src/verbs/load/load.ts';
import { load } from '../../../src/verbs/load/load.ts';
import { saveReference } from '../../../src/verbs/save-reference.ts';
import { makeCargo } from '../../docker/cargo.ts';
import { FakeDaemon } from '../../support/fake-daemon.ts';
import type { FakeOptions } from '../../support/fake-daemon.ts';
import { ORIGIN } from '../../support/gitlab-job.ts';

const APP = makeCargo({ layers: ['base', 'app'] });
const NOW = new Date('2026-01-02T03:04:05Z');
const GREETING = ['GET /_ping', 'GET /version', 'GET /info'];
/** A lease comes before the name that it holds; then the image must still have both. */
const NAMING = ['POST id/tag lease', 'POST id/tag ref', 'GET id'];

/** A request in short: `POST id/tag ref`. */
function short(line: string): string {
  return line
    .replace(/ \/v[\d.]+/, ' ')
    .replace(/\/images\/sha256:[0-9a-f]{64}/, 'id')
    .replace(/\?repo=drayage-lease&.*/, ' lease')
    .replace(/\?repo=.*/, ' ref')
    .replace(/\/images\/drayage-lease:.*\/json$/, 'lease')
    .replace(/\/images\/app:pipeline.*\/json$/, 'ref')
    .replace(/id\/json$/, 'id');
}

async function loadFor(job: string, fake: FakeDaemon, store: MemoryStore): Promise<LoadResult> {
  await using to = await connectDocker({ host: fake.host });
  return await load({ from: [store], to, names: 'unique', lease: { job, now: NOW } });
}

test.each<[NonNullable<FakeOptions['kind']>, string]>([
  ['graph', 'GET id'],
  ['containerd', 'GET id/json?manifests=1'],
])('a load of what a %s daemon has asks nothing twice, and one list', async (kind, check) => {
  const fake = await FakeDaemon.start({ kind });
  const store = new MemoryStore();
  await store.update(async (content) => {
    for (const [digest, bytes] of APP.source.blobs)
      await content.put({ mediaType: '', digest, size: bytes.length }, once(bytes));
    content.add(APP.root, ['app:1'], originAnnotations(ORIGIN));
  });
  await loadFor('1', fake, store);
  fake.seen.splice(0);
  const { images } = await loadFor('2', fake, store);
  expect(images).toMatchObject([{ status: 'present', bytesSent: 0 }]);
  const lines = fake.seen.map(({ line }) => short(line));
  expect(lines).toEqual([...GREETING, 'GET /images/json', 'GET lease', 'GET ref', check, ...NAMING]);
});

test('a reference is saved and loaded with one list each, and no question is asked twice', async () => {
  const { configDigest: id, diffIds } = APP;
  const fake = await FakeDaemon.start({ images: [{ id, names: ['app:1'], diffIds }] });
  const own = { ID: 'ABCD', Name: 'runner-3', DockerRootDir: '/var/lib/docker', DriverStatus: [] };
  fake.handlers.set('GET /info', (_, response) => void response.end(JSON.stringify(own)));
  const store = new MemoryStore();
  {
    await using from = await connectDocker({ host: fake.host });
    const annotations = originAnnotations(ORIGIN);
    const lease = { pipeline: ORIGIN.pipelineId, now: NOW };
    await saveReference({ from, images: ['app:1'], to: store, annotations, lease });
  }
  const saved = fake.seen.splice(0).map(({ line }) => short(line));
  expect(saved).toEqual([...GREETING, 'GET /images/app:1/json', 'GET /images/json', ...NAMING]);
  const { images } = await loadFor('2', fake, store);
  expect(images).toMatchObject([{ status: 'present', bytesSent: 0 }]);
  const loaded = fake.seen.map(({ line }) => short(line));
  expect(loaded).toEqual([...GREETING, 'GET /images/json', 'GET id', ...NAMING]);
});
