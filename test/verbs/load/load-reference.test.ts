import { beforeEach, describe, expect, test } from 'vitest';
import { originPolicy } from '../../../src/ci/origin-policy.ts';
import { originAnnotations } from '../../../src/ci/origin.ts';
import { DrayageError } from '../../../src/errors.ts';
import type { LoadOptions, LoadResult } from '../../../src/verbs/load/load.ts';
import { load } from '../../../src/verbs/load/load.ts';
import { saveReference } from '../../../src/verbs/save-reference.ts';
import { unload } from '../../../src/verbs/unload.ts';
import { makeCargo } from '../../docker/cargo.ts';
import { fakeDigest } from '../../oci/documents.ts';
import { ORIGIN } from '../../support/gitlab-job.ts';
import { LastingDaemon } from '../../support/lasting-daemon.ts';
import { MemoryEndpoint } from '../../support/memory-endpoint.ts';
import { MemoryStore } from '../../../src/memory/memory-store.ts';

const APP = makeCargo({ layers: ['base', 'app'] });
const OTHER = makeCargo({ layers: ['base', 'other'] });
const NOW = new Date('2026-01-02T03:04:05Z');
const PIPELINE = { pipeline: ORIGIN.pipelineId, now: NOW };
const JOB = { job: '124', now: NOW, secret: 'token' };

let daemon: LastingDaemon;
let store: MemoryStore;
let ref: string;

beforeEach(async () => {
  daemon = new LastingDaemon();
  store = new MemoryStore();
  await daemon.hold(APP.root, APP.source, ['app:1']);
  const { images } = await saveReference({
    from: daemon,
    images: ['app:1'],
    to: store,
    annotations: originAnnotations(ORIGIN),
    lease: PIPELINE,
  });
  ref = images[0]?.ref ?? '';
});

const loading = async (options: Partial<LoadOptions> = {}): Promise<LoadResult> =>
  load({ from: [store], to: daemon, names: 'unique', lease: JOB, ...options });
const names = (of: MemoryEndpoint = daemon): string[][] => of.held.map((image) => image.names);

/** Expects that a load ends with this error, and that no name has changed. */
async function refused(options: Partial<LoadOptions>, facts: object, of = daemon): Promise<void> {
  const before = structuredClone(names(of));
  await expect(loading({ to: of, ...options })).rejects.toMatchObject(facts);
  expect(names(of)).toEqual(before);
}

describe('a reference is loaded', () => {
  test('by names alone: no layer is read or sent', async () => {
    await daemon.remove('app:1');
    const { images } = await loading({ tags: ['app:tested'] });
    const id = await daemon.inspect(ref).then((found) => found.id);
    expect(images).toMatchObject([
      {
        name: 'app:1',
        ref,
        id,
        daemonId: id,
        status: 'present',
        layersSent: 0,
        layersPresent: 2,
        bytesSent: 0,
      },
    ]);
    expect(daemon.loads).toEqual([]);
    expect(daemon.saves).toEqual([]);
    expect(names()[0]?.filter((name) => name.startsWith('drayage-lease:124-'))).toHaveLength(2);
    expect(names()[0]).toEqual(expect.arrayContaining([ref, 'app:tested']));
  });

  test('with the saved names, and says which of them moved', async () => {
    await daemon.hold(OTHER.root, OTHER.source, []);
    const other = daemon.held[1]?.id ?? fakeDigest('f');
    await daemon.tag(other, 'app:1');
    const { images } = await loading({ names: 'restore' });
    expect(images[0]?.moved).toEqual([{ name: 'app:1', from: other }]);
    expect(await daemon.inspect('app:1')).toMatchObject({ id: images[0]?.daemonId });
  });

  test('and stays for the pipeline, whichever job unloads', async () => {
    await daemon.remove('app:1');
    await loading();
    const { job, secret } = JOB;
    expect(await unload({ from: daemon, leases: { job, secret } })).toMatchObject({ removed: [] });
    expect(names()[0]).toContain(ref);
    const ended = await unload({ from: daemon, leases: { pipeline: ORIGIN.pipelineId } });
    expect(ended).toEqual({ removed: [ref], kept: [] });
    expect(daemon.held).toEqual([]);
  });

  test('and stays for a job, although the pipeline ends', async () => {
    await daemon.remove('app:1');
    await loading();
    const leases = { pipeline: ORIGIN.pipelineId };
    expect((await unload({ from: daemon, leases })).removed).toEqual([]);
    expect((await unload({ from: daemon, leases: JOB })).removed).toEqual([ref]);
  });

  test.each([
    [{ pipeline: '1' }, []],
    [{ before: NOW }, []],
    [{ before: new Date(NOW.getTime() + 1000) }, [1]],
  ])('and the leases %j end so many tags', async (leases, removed) => {
    const result = await unload({ from: daemon, leases, now: NOW });
    expect(result.removed).toEqual(removed.map(() => ref));
  });
});

describe('a reference is refused, and no name changes,', () => {
  test.each([{ id: 'TWO' }, { name: 'runner-2' }, { root: '/mnt/docker' }])(
    'in a daemon whose %j differs, although it has the image',
    async (own) => {
      const other = new LastingDaemon(own);
      await other.hold(APP.root, APP.source, ['app:1']);
      const message: unknown = expect.stringMatching(/ONE.*ONE|ONE.*TWO/);
      await refused({}, { code: 'UNREACHABLE', message, facts: { reason: 'OTHER_DAEMON' } }, other);
    },
  );

  test('in a daemon without an identity', async () => {
    daemon.identity = async () => {
      throw new DrayageError('UNSAFE', 'no ID');
    };
    await refused({}, { code: 'UNREACHABLE', facts: { reason: 'OTHER_DAEMON' } });
  });

  test('by an endpoint that cannot say which daemon it is', async () => {
    const other = new MemoryEndpoint();
    await expect(loading({ to: other })).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  });

  test('if the image is gone', async () => {
    daemon.held.length = 0;
    await daemon.hold(OTHER.root, OTHER.source, ['app:1']);
    await refused({}, { code: 'UNREACHABLE', facts: { reason: 'REFERRED_IMAGE_GONE' } });
  });

  test('if the image goes while it is named', async () => {
    const tag = daemon.tag.bind(daemon);
    daemon.tag = async (image, name) => {
      if (name === ref) daemon.held.length = 0;
      return tag(image, name);
    };
    await expect(loading()).rejects.toMatchObject({ code: 'UNREACHABLE' });
    expect(daemon.held).toEqual([]);
  });

  test('if its unique tag means another image', async () => {
    await daemon.hold(OTHER.root, OTHER.source, []);
    await daemon.tag(daemon.held[1]?.id ?? '', ref);
    const message: unknown = expect.stringContaining(`${ref} means ${daemon.held[1]?.id}`);
    await refused({}, { code: 'UNREACHABLE', message });
  });

  test.each([
    [{ id: fakeDigest('e') }],
    [{ image: fakeDigest('e') }],
    [{ diffIds: [fakeDigest('e')] }],
    [{ labels: { 'org.opencontainers.image.revision': 'b'.repeat(40) } }],
  ])('if the daemon says %j', async (lie) => {
    daemon.lies.set(daemon.held[0]?.id ?? fakeDigest('f'), lie);
    await refused({}, { code: 'UNREACHABLE', facts: { reason: 'REFERRED_IMAGE_GONE' } });
  });

  test('if a name cannot be set: the others get their meaning back', async () => {
    await daemon.hold(OTHER.root, OTHER.source, ['app:tested']);
    const tag = daemon.tag.bind(daemon);
    let fails = true;
    daemon.tag = async (image, name) => {
      if (name === 'app:last' && fails) {
        fails = false;
        throw new DrayageError('DAEMON', 'no space left', { status: 507 });
      }
      return tag(image, name);
    };
    await refused({ tags: ['app:tested', 'app:last'] }, { code: 'DAEMON' });
  });

  test('if it is of another pipeline', async () => {
    const policy = originPolicy({ pipeline: ['1'] });
    await refused({ policy }, { code: 'POLICY', facts: { reason: 'OTHER_ORIGIN' } });
  });

  test('if its label names another commit', async () => {
    const labels = { 'org.opencontainers.image.revision': 'b'.repeat(40) };
    daemon.lies.set(daemon.held[0]?.id ?? fakeDigest('f'), { labels });
    await saveReference({
      from: daemon,
      images: ['app:1'],
      to: store,
      annotations: originAnnotations(ORIGIN),
    });
    const policy = originPolicy({ commit: [ORIGIN.commit] });
    await refused({ policy }, { code: 'POLICY', facts: { reason: 'OTHER_REVISION' } });
  });
});

test.each(['app:1', 'ref', 'id', 'short id'])('a reference is chosen by %s', async (by) => {
  const id = daemon.held[0]?.id ?? '';
  const image = { ref, id, 'short id': id.slice(7, 19) }[by] ?? by;
  const { images } = await loading({ images: [image] });
  expect(images.map((one) => one.ref)).toEqual([ref]);
});

test('a reference beside an image of the same name is ambiguous', async () => {
  const other = new MemoryStore();
  await other.update(async (transaction) => {
    for (const [digest, bytes] of OTHER.source.blobs) {
      const descriptor = { mediaType: 'application/octet-stream', digest, size: bytes.length };
      await transaction.put(
        descriptor,
        (async function* () {
          yield bytes;
        })(),
      );
    }
    transaction.add(OTHER.root, ['app:1'], originAnnotations(ORIGIN));
  });
  const facts = { reason: 'TWO_IMAGES' };
  await expect(loading({ from: [store, other] })).rejects.toMatchObject({ code: 'AMBIGUOUS', facts });
});
