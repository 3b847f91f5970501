import { beforeEach, describe, expect, test } from 'vitest';
import { DrayageError } from '../../src/errors.ts';
import { load } from '../../src/verbs/load/load.ts';
import type { ImagePlace } from '../../src/content/image-index.ts';
import { leaseReference } from '../../src/verbs/load/lease.ts';
import { unload } from '../../src/verbs/unload.ts';
import type { TestCargo } from '../docker/cargo.ts';
import { makeCargo } from '../docker/cargo.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { MemoryEndpoint } from '../support/memory-endpoint.ts';

const APP = makeCargo({ layers: ['base', 'app'] });
const TOOLS = makeCargo({ layers: ['base', 'tools'] });
const HALF_GONE = new DrayageError('DAEMON', 'locating item named "manifest"', { status: 500 });
const short = (digest: string): string => digest.slice(7, 19);
const refOf = (cargo: TestCargo, pipeline = 1): string =>
  `temp:pipeline-${pipeline}-${short(cargo.configDigest)}`;
const secretOf = (job: string): string => `token of ${job}`;
const at = (hour: number): Date => new Date(Date.UTC(2026, 0, 1, hour));

let daemon: MemoryEndpoint;
beforeEach(() => void (daemon = new MemoryEndpoint()));

interface Job {
  job: string;
  cargo?: TestCargo;
  pipeline?: number;
  hour?: number;
  tags?: string[];
}

/** What the job of a pipeline has saved. */
function shipped({ source, root }: TestCargo, pipeline: number): ImagePlace {
  const annotations = { 'dev.drayage.gitlab.pipeline-id': `${pipeline}` };
  const image = { root, names: ['temp:latest'], annotations };
  return {
    has: async (descriptor) => source.has(descriptor),
    open: async (descriptor) => source.open(descriptor),
    images: async () => [image],
    resolve: async () => [image],
    referrers: async () => [],
  };
}

/** What a job of a pipeline does on a daemon that others share. */
async function loadAs({ job, cargo = APP, pipeline = 1, hour = 0, tags }: Job): Promise<string> {
  const from = [shipped(cargo, pipeline)];
  const lease = { job, now: at(hour), secret: secretOf(job) };
  const { images } = await load({ from, to: daemon, names: 'unique', tags, lease });
  return images[0]?.ref ?? '';
}
const unloadAs = (job: string) => unload({ from: daemon, leases: { job, secret: secretOf(job) } });
const allNames = (): string[] => daemon.held.flatMap(({ names }) => names);
const namesWithoutLeases = (): string[] => allNames().filter((name) => !name.startsWith('drayage-lease:'));

/** Runs `act` once, before the first removal of a name that begins with `prefix`. */
const beforeRemoval = (prefix: string, act: () => Promise<unknown>): void => {
  const remove = daemon.remove.bind(daemon);
  daemon.remove = async (name) => {
    if (name.startsWith(prefix)) {
      daemon.remove = remove;
      await act();
    }
    return remove(name);
  };
};

describe('load with a lease', () => {
  test('sends the image under the lease, and sets the name after it', async () => {
    const ref = await loadAs({ job: '7' });
    const hash = /^drayage-lease:7-[0-9a-f]{12}-[0-9a-f]{8}-[0-9a-z]+-[0-9a-f]{16}$/;
    expect(daemon.loads.map(({ names }) => names)).toEqual([[expect.stringMatching(hash), ref]]);
  });

  test('takes one for each name', async () => {
    await loadAs({ job: '7', tags: ['mine:1'] });
    const names = daemon.loads[0]?.names ?? [];
    const isLease = names.map((name) => name.startsWith('drayage-lease:7-'));
    expect([isLease, names[3]]).toEqual([[true, false, true, false], 'mine:1']);
  });

  test('loads once more when a name has gone meanwhile', async () => {
    const put = daemon.load.bind(daemon);
    daemon.load = async (...args) => {
      const result = await put(...args);
      if (daemon.loads.length === 1) await daemon.remove(refOf(APP));
      return result;
    };
    const ref = await loadAs({ job: '7' });
    expect(daemon.loads).toHaveLength(2);
    expect(allNames()).toContain(ref);
  });

  test.each([
    ['has gone before it was held', () => daemon.tag('gone:1', 'x:1'), 'NOT_FOUND'],
    ['is half gone in podman', () => Promise.reject(HALF_GONE), 'DAEMON'],
  ])('loads again when the image %s, three times at most', async (_what, fault, code) => {
    const put = daemon.load.bind(daemon);
    let attempts = 0;
    const failing = (times: number): void => {
      attempts = 0;
      daemon.load = async (...args) => {
        if (attempts++ < times) await fault();
        return put(...args);
      };
    };
    failing(2);
    expect(await loadAs({ job: '7' })).toBe(refOf(APP));
    expect(attempts).toBe(3);
    failing(5);
    await expect(loadAs({ job: '8' })).rejects.toMatchObject({ code });
    expect(attempts).toBe(3);
  });

  test('what the daemon refuses is not tried again', async () => {
    let attempts = 0;
    daemon.load = async () => {
      attempts++;
      throw new DrayageError('DAEMON', 'refused', { status: 400 });
    };
    await expect(loadAs({ job: '7' })).rejects.toMatchObject({ code: 'DAEMON' });
    expect(attempts).toBe(1);
  });
});

describe('unload', () => {
  test('takes away what the job has set, and the image with it', async () => {
    const ref = await loadAs({ job: '7', tags: ['mine:1'] });
    await loadAs({ job: '7', cargo: TOOLS, hour: 1 });
    expect(await unloadAs('7')).toEqual({ removed: [ref, 'mine:1', refOf(TOOLS)], kept: [] });
    expect(daemon.held).toEqual([]);
  });

  test('a job that has loaded the same twice gives back all of it', async () => {
    const ref = await loadAs({ job: '7' });
    await loadAs({ job: '7', hour: 1 });
    expect(await unloadAs('7')).toEqual({ removed: [ref], kept: [] });
    expect(daemon.held).toEqual([]);
  });

  test('a name that another job holds stays until that job gives it back', async () => {
    const ref = await loadAs({ job: '7' });
    await loadAs({ job: '8' });
    expect(await unloadAs('7')).toEqual({
      removed: [],
      kept: [{ ref, reason: 'another job holds it' }],
    });
    expect(namesWithoutLeases()).toEqual([ref]);
    expect(await unloadAs('8')).toEqual({ removed: [ref], kept: [] });
    expect(daemon.held).toEqual([]);
  });

  test('of one image under the names of two pipelines each job gives back its own', async () => {
    await loadAs({ job: '7', pipeline: 1 });
    await loadAs({ job: '8', pipeline: 2 });
    expect(await unloadAs('7')).toEqual({ removed: [refOf(APP, 1)], kept: [] });
    expect(namesWithoutLeases()).toEqual([refOf(APP, 2)]);
  });

  test('what others have is left as it was', async () => {
    const mine = await loadAs({ job: '7' });
    daemon.held[0]?.names.push('app:own');
    await loadAs({ job: '8', cargo: TOOLS });
    expect(await unloadAs('7')).toEqual({ removed: [mine], kept: [] });
    expect(await unloadAs('7')).toEqual({ removed: [], kept: [] });
    expect(namesWithoutLeases()).toEqual(['app:own', refOf(TOOLS)]);
  });

  test('a name that was there before stays, however many jobs have loaded it', async () => {
    await daemon.hold(APP.root, APP.source, [refOf(APP)]);
    await loadAs({ job: '7' });
    await loadAs({ job: '8' });
    await unloadAs('7');
    const { removed, kept } = await unloadAs('8');
    expect([removed, kept]).toEqual([[], [{ ref: refOf(APP), reason: 'it was there before it was loaded' }]]);
    expect(allNames()).toEqual([refOf(APP)]);
  });

  test('a name that was moved away from another image is not taken away', async () => {
    await daemon.hold(TOOLS.root, TOOLS.source, ['mine:1', 'keep:1']);
    const ref = await loadAs({ job: '7', tags: ['mine:1'] });
    expect((await unloadAs('7')).removed).toEqual([ref]);
    expect(allNames()).toEqual(['keep:1', 'mine:1']);
  });

  test('a name that has moved on to another image since is left there', async () => {
    await loadAs({ job: '7', tags: ['mine:1'] });
    await loadAs({ job: '8', cargo: TOOLS, tags: ['mine:1'] });
    expect(await unloadAs('7')).toEqual({ removed: [refOf(APP)], kept: [] });
    expect(namesWithoutLeases()).toEqual([refOf(TOOLS), 'mine:1']);
    expect((await unloadAs('8')).removed).toEqual([refOf(TOOLS), 'mine:1']);
    expect(daemon.held).toEqual([]);
  });

  test('an image that a container uses keeps its names and leases until it does not', async () => {
    const ref = await loadAs({ job: '7' });
    daemon.containers.push({ container: 'web', image: APP.configDigest, name: 'x:1' });
    const before = allNames();
    expect(await unloadAs('7')).toEqual({
      removed: [],
      kept: [{ ref, reason: 'the container web uses it' }],
    });
    expect(allNames()).toEqual(before);
    daemon.containers.pop();
    expect(await unloadAs('7')).toEqual({ removed: [ref], kept: [] });
    expect(daemon.held).toEqual([]);
  });

  test('a container of another job, which holds the image, does not keep our lease', async () => {
    await loadAs({ job: '7', pipeline: 1 });
    await loadAs({ job: '8', pipeline: 2 });
    daemon.containers.push({ container: 'web', image: APP.configDigest, name: refOf(APP, 2) });
    expect((await unloadAs('7')).removed).toEqual([refOf(APP, 1)]);
    expect(allNames().filter((name) => name.startsWith('drayage-lease:7-'))).toEqual([]);
  });

  test('a name that two images have, as podman may show it, stays', async () => {
    await loadAs({ job: '7' });
    await daemon.hold(TOOLS.root, TOOLS.source, [refOf(APP)]);
    expect(await unloadAs('7')).toEqual({
      removed: [],
      kept: [{ ref: refOf(APP), reason: 'two images have it' }],
    });
  });

  test('a daemon that fails is an error', async () => {
    await loadAs({ job: '7' });
    daemon.remove = () => Promise.reject(new Error('gone'));
    await expect(unloadAs('7')).rejects.toThrow('gone');
  });
});

describe('unload of what is older than a time', () => {
  test('sweeps the leases of all jobs before it, and no others', async () => {
    const old = await loadAs({ job: '7', hour: 1 });
    await loadAs({ job: '8', hour: 2 });
    const young = await loadAs({ job: '9', cargo: TOOLS, hour: 3 });
    const result = await unload({ from: daemon, leases: { before: at(3) } });
    expect(result).toEqual({ removed: [old], kept: [] });
    expect(namesWithoutLeases()).toEqual([young]);
  });

  test('a name that a younger job holds stays', async () => {
    const ref = await loadAs({ job: '7', hour: 1 });
    await loadAs({ job: '8', hour: 3 });
    const result = await unload({ from: daemon, leases: { before: at(3) } });
    expect(result).toEqual({ removed: [], kept: [{ ref, reason: 'another job holds it' }] });
    expect(namesWithoutLeases()).toEqual([ref]);
  });

  test('names that no lease holds stay', async () => {
    await daemon.hold(APP.root, APP.source, [refOf(APP), 'app:1']);
    expect(await unload({ from: daemon, leases: { before: at(99) } })).toEqual({ removed: [], kept: [] });
    expect(allNames()).toEqual([refOf(APP), 'app:1']);
  });
});

const hashOf = (name: string): string => digestOf(Buffer.from(name)).slice(7, 15);

const leaseOn = (job: string, name: string, rest: string): string =>
  `drayage-lease:${job}-${short(APP.configDigest)}-${hashOf(name)}-${rest}`;

describe('a planted lease', () => {
  const KEPT = 'nothing proves that a load has set it';
  const NOW = Math.floor(at(5).getTime() / 1000).toString(36);

  test.each([
    ['without a seal', NOW],
    ['with a wrong seal', `${NOW}-0123456789abcdef`],
    ['of long ago', 'aaaaa'],
  ])('%s removes nothing that the job has not set', async (_, rest) => {
    await daemon.hold(APP.root, APP.source, ['prod:latest', leaseOn('7', 'prod:latest', rest)]);
    expect((await unloadAs('7')).removed).toEqual([]);
    expect(namesWithoutLeases()).toEqual(['prod:latest']);
    const without = await unload({ from: daemon, leases: { job: '7' } });
    const kept = rest.includes('-') ? [{ ref: 'prod:latest', reason: KEPT }] : expect.anything();
    expect(without).toEqual({ removed: [], kept });
    expect(namesWithoutLeases()).toEqual(['prod:latest']);
  });

  test('that was copied to another image and name removes nothing', async () => {
    await loadAs({ job: '7', tags: ['mine:1'] });
    const copies = allNames().filter((name) => name.startsWith('drayage-lease:'));
    await daemon.hold(TOOLS.root, TOOLS.source, ['prod:1']);
    const { id } = daemon.held.find(({ names }) => names.includes('prod:1')) ?? { id: '' };
    for (const copy of copies) await daemon.tag(id, copy.replace(hashOf('mine:1'), hashOf('prod:1')));
    expect((await unloadAs('7')).removed).not.toContain('prod:1');
    expect(namesWithoutLeases()).toContain('prod:1');
  });

  test('in the name of the job does not keep what the job has set', async () => {
    const ref = await loadAs({ job: '7' });
    await daemon.tag(ref, leaseOn('7', ref, NOW));
    expect(await unloadAs('7')).toEqual({ removed: [ref], kept: [] });
    expect(namesWithoutLeases()).toEqual([]);
  });

  test('of another job that cannot be is no reason to keep a name', async () => {
    const ref = await loadAs({ job: '7' });
    await daemon.tag(ref, leaseOn('999', ref, Math.floor(at(50).getTime() / 1000).toString(36)));
    const leases = { job: '7', secret: secretOf('7') };
    expect((await unload({ from: daemon, leases, now: at(6) })).removed).toEqual([ref]);
  });

  test('does not outlive a sweep, which removes only what loads alone set', async () => {
    await daemon.hold(APP.root, APP.source, ['prod:latest', refOf(APP)]);
    const young = leaseOn('8', refOf(APP), NOW);
    for (const planted of [
      young,
      leaseOn('999', 'prod:latest', 'zzzzzzzzz'),
      leaseOn('999', 'prod:latest', Math.floor(at(50).getTime() / 1000).toString(36)),
      leaseOn('999', 'prod:latest', '1'),
      'drayage-lease:eternal',
    ])
      await daemon.tag('prod:latest', planted);
    const result = await unload({ from: daemon, leases: { before: at(4) }, now: at(6) });
    expect(result).toEqual({ removed: [], kept: [{ ref: 'prod:latest', reason: KEPT }] });
    expect(allNames()).toEqual(['prod:latest', refOf(APP), young]);
    await unload({ from: daemon, leases: { before: at(6) }, now: at(6) });
    expect(allNames()).toEqual(['prod:latest']);
  });
});

describe('without a secret', () => {
  test('a job gives back its unique tags, and keeps names that anybody may have set', async () => {
    const from = [shipped(APP, 1)];
    const lease = { job: '7', now: at(0) };
    await load({ from, to: daemon, names: 'unique', tags: ['mine:1'], lease });
    expect(await unload({ from: daemon, leases: { job: '7' } })).toEqual({
      removed: [refOf(APP)],
      kept: [{ ref: 'mine:1', reason: 'nothing proves that a load has set it' }],
    });
    expect(allNames()).toEqual(['mine:1']);
  });
});

describe('what happens while it runs', () => {
  test.each(['temp:', 'drayage-lease:7-'])(
    'a job that loads the image before %s is removed has its name afterwards',
    async (prefix) => {
      const ref = await loadAs({ job: '7' });
      beforeRemoval(prefix, () => loadAs({ job: '8' }));
      expect(await unloadAs('7')).toEqual({ removed: [], kept: [{ ref, reason: 'another job holds it' }] });
      expect(namesWithoutLeases()).toEqual([ref]);
      expect((await unloadAs('8')).removed).toEqual([ref]);
      expect(daemon.held).toEqual([]);
    },
  );

  test('a name that another job holds is set again where it was lost, as podman loses it', async () => {
    const ref = await loadAs({ job: '7' });
    await loadAs({ job: '8' });
    beforeRemoval('drayage-lease:7-', () => daemon.remove(ref));
    expect(await unloadAs('7')).toEqual({ removed: [], kept: [{ ref, reason: 'another job holds it' }] });
    expect(namesWithoutLeases()).toEqual([ref]);
  });

  test('two jobs that leave at once leave nothing', async () => {
    const ref = await loadAs({ job: '7' });
    await loadAs({ job: '8' });
    beforeRemoval('drayage-lease:7-', () => unloadAs('8'));
    expect((await unloadAs('7')).removed).toEqual([ref]);
    expect(daemon.held).toEqual([]);
  });

  test.each(['temp:', 'drayage-lease:7-'])(
    'a container made before %s is removed keeps the image with name and lease',
    async (prefix) => {
      const ref = await loadAs({ job: '7' });
      const before = allNames();
      beforeRemoval(prefix, async () => {
        daemon.containers.push({ container: 'web', image: APP.configDigest, name: ref });
      });
      expect(await unloadAs('7')).toEqual({ removed: [], kept: [{ ref, reason: 'a container uses it' }] });
      expect(allNames().toSorted()).toEqual(before.toSorted());
    },
  );

  test('what somebody else has removed before us is no error', async () => {
    const ref = await loadAs({ job: '7' });
    beforeRemoval('temp:', () => daemon.remove(ref));
    expect(await unloadAs('7')).toEqual({ removed: [ref], kept: [] });
    expect(daemon.held).toEqual([]);
  });
});

/** How often the names of images and the images of containers are read when a host with so many of them is swept. */
async function readsOf(count: number): Promise<number> {
  let reads = 0;
  const gone = new Set<string>();
  const images = Array.from({ length: count }, (_, i) => {
    const id = digestOf(Buffer.from(`image ${i}`));
    const unique = `app:pipeline-1-${short(id)}`;
    const lease = leaseReference({ job: `${i}`, now: at(0) }, unique, unique, []);
    return {
      id,
      get names() {
        reads += 1;
        return [unique, lease].filter((name) => !gone.has(name));
      },
    };
  });
  const uses = images.map(({ id }, i) => ({
    container: `${i}`,
    name: 'other:1',
    get image() {
      reads += 1;
      return i % 2 === 0 ? id : digestOf(Buffer.from('another image'));
    },
  }));
  const from = {
    list: async () => images,
    uses: async () => uses,
    tag: async () => {},
    remove: async (name: string) => void gone.add(name),
  };
  const { removed, kept } = await unload({ from, leases: { before: at(1) } });
  expect([removed.length, kept.length]).toEqual([count / 2, count / 2]);
  return reads;
}

test('twice as many leases cost twice as much at most', async () => {
  const [once, twice] = [await readsOf(40), await readsOf(80)];
  expect(twice).toBeLessThanOrEqual(2 * once);
});
