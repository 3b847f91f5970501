import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { provenanceOfBuild } from '../../src/attest/statement.ts';
import { originAnnotations } from '../../src/ci/origin.ts';
import { readBuild } from '../../src/ci/gitlab/build.ts';
import { buildReference, readReference } from '../../src/image/reference.ts';
import { Layout } from '../../src/layout/layout.ts';
import { Registries } from '../../src/registry/registries.ts';
import { once } from '../../src/stream/tap.ts';
import { diff } from '../../src/verbs/diff.ts';
import { exportArchive } from '../../src/verbs/export.ts';
import { fetchImages } from '../../src/verbs/fetch.ts';
import { inspect } from '../../src/verbs/inspect.ts';
import { load } from '../../src/verbs/load/load.ts';
import { merge } from '../../src/verbs/merge.ts';
import type { PromoteOptions, PromoteResult } from '../../src/verbs/promote/promote.ts';
import { promote } from '../../src/verbs/promote/promote.ts';
import { prune } from '../../src/verbs/prune.ts';
import type { ReferredSave } from '../../src/verbs/save-reference.ts';
import { saveReference } from '../../src/verbs/save-reference.ts';
import { sign } from '../../src/verbs/sign.ts';
import { takeReferred } from '../../src/verbs/take-referred.ts';
import { verify } from '../../src/verbs/verify/verify.ts';
import { makeCargo } from '../docker/cargo.ts';
import { FakeRegistry } from '../support/fake-registry.ts';
import { ORIGIN, SIGNING_JOB } from '../support/gitlab-job.ts';
import { LastingDaemon } from '../support/lasting-daemon.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const APP = makeCargo({ layers: ['base', 'app'] });

let daemon: LastingDaemon;
let layout: Layout;
let saved: ReferredSave;

beforeEach(async () => {
  daemon = new LastingDaemon();
  await daemon.hold(APP.root, APP.source, ['app:1']);
  layout = await newLayout();
  const annotations = originAnnotations(ORIGIN);
  const lease = { pipeline: '4711', now: new Date(0) };
  const request = { from: daemon, images: ['app:1'], to: layout, annotations, lease };
  saved = (await saveReference(request)).images[0]!;
});

async function newLayout(): Promise<Layout> {
  return Layout.create(join(await temporaryFolder(), 'layout'));
}

test('a reference is saved without a layer, and without a tag if no pipeline holds it', async () => {
  const other = new LastingDaemon();
  await other.hold(APP.root, APP.source, ['app:1']);
  await saveReference({ from: other, images: ['app:1'], to: await newLayout() });
  expect(other.held[0]?.names).toEqual(['app:1']);
  expect(daemon.saves).toEqual([]);
  expect(daemon.held[0]?.names).toContain(saved.ref);
  expect(saved).toMatchObject({ name: 'app:1', platform: 'linux/amd64', daemonId: saved.id });
  expect(saved.ref).toBe(`app:pipeline-4711-${saved.id.slice(7, 19)}`);
});

test('if the daemon cannot name the image, no layout changes', async () => {
  daemon.tag = async () => {
    throw new Error('no tag');
  };
  const to = await newLayout();
  const lease = { pipeline: '4711', now: new Date(0) };
  await expect(saveReference({ from: daemon, images: ['app:1'], to, lease })).rejects.toThrow('no tag');
  expect(await to.entries()).toEqual([]);
});

test('an image without the tag of the job that saved it is not the one that this pipeline shipped', async () => {
  await daemon.remove(saved.ref);
  const gone = { code: 'UNREACHABLE', message: expect.stringContaining('no tag pipeline-4711-') };
  await expect(load({ from: [layout], to: daemon })).rejects.toMatchObject(gone);
  const [image] = await layout.images({ references: true });
  const reference = await readReference(layout, image!.root);
  const taken = takeReferred({ from: daemon, reference: reference!, image: image!, to: await newLayout() });
  await expect(taken).rejects.toMatchObject(gone);
  expect(daemon.held[0]?.names).not.toContain(saved.ref);
});

test('a reference that states another platform is refused', async () => {
  const to = await newLayout();
  const [image] = await layout.images({ references: true });
  const reference = await readReference(layout, image!.root);
  const { root, documents } = buildReference({
    ...reference!,
    platform: { os: 'linux', architecture: 'arm64' },
  });
  await to.update(async (content) => {
    for (const { descriptor, bytes } of documents) await content.put(descriptor, once(bytes));
    content.add(root, image!.names, image!.annotations);
  });
  const loaded = load({ from: [to], to: daemon });
  await expect(loaded).rejects.toMatchObject({
    code: 'UNREACHABLE',
    message: expect.stringContaining('for linux/amd64, not for linux/arm64'),
  });
});

test('inspect says where the image is', async () => {
  const { images, bytes } = await inspect({ from: [layout] });
  const { daemonId: image, diffIds } = saved;
  const reference = { daemon: daemon.own, image, diffIds };
  expect(images).toMatchObject([{ names: ['app:1'], id: saved.id, size: 0, layers: [], reference }]);
  expect(bytes.stored).toBe(0);
});

test('verify says that no layer was read', async () => {
  const result = await verify({ layout });
  expect(result).toMatchObject({ problems: [], images: [{ refusal: null }] });
  expect(result.references).toEqual([{ digest: saved.digest, daemon: daemon.own }]);
});

test.each(['fetch', 'merge'] as const)('%s carries it as it is', async (verb) => {
  const to = await newLayout();
  const { images } =
    verb === 'fetch' ? await fetchImages({ from: [layout], to }) : await merge({ from: [layout], to });
  expect(images).toMatchObject([{ name: 'app:1', ref: saved.ref, id: saved.id, digest: saved.digest }]);
  expect((await to.images({ references: true })).map(({ root }) => root.digest)).toEqual([saved.digest]);
  expect(await to.images()).toEqual([]);
});

test('diff and export need layers, and refuse it', async () => {
  const refused = { code: 'USAGE', facts: { reason: 'REFERENCE_ONLY' } };
  await expect(diff({ a: { place: layout }, b: { place: layout } })).rejects.toMatchObject(refused);
  await expect(exportArchive({ from: [layout] })).rejects.toMatchObject(refused);
});

test('prune keeps it, and removes it by name and by age', async () => {
  expect(await prune({ layout })).toMatchObject({ removed: [] });
  expect(await inspect({ from: [layout] })).toMatchObject({ images: [{ id: saved.id }] });
  const before = new Date(Date.now() + 60_000);
  expect((await prune({ layout, before, dryRun: true })).removed).toHaveLength(1);
  expect((await prune({ layout, images: ['app:1'] })).removed).toHaveLength(1);
  expect(await layout.entries()).toEqual([]);
});

describe('a signature', () => {
  test('is about the reference and the config, and says that no layer was read', async () => {
    const statements: string[] = [];
    const build = readBuild(SIGNING_JOB);
    const { images } = await sign({
      layout,
      statement: provenanceOfBuild(build),
      sign: async (statement) => (statements.push(statement.toString()), statement),
      now: new Date(0),
    });
    expect(images).toMatchObject([{ name: 'app:1', digest: saved.digest }]);
    const { subject, predicate } = JSON.parse(statements[0] ?? '') as {
      subject: { digest: object }[];
      predicate: { buildDefinition: { internalParameters: object } };
    };
    const digests = [saved.digest, saved.id].map((digest) => ({ sha256: digest.slice(7) }));
    expect(subject.map(({ digest }) => digest)).toEqual(digests);
    const unread = { layersRead: false, unreadLayers: saved.diffIds };
    expect(predicate.buildDefinition.internalParameters).toMatchObject(unread);
    const [{ attached } = { attached: [] }] = (await inspect({ from: [layout] })).images;
    expect(attached).toHaveLength(1);
    expect(daemon.saves).toEqual([]);
  });
});

async function promoteTo(to: string, options: Partial<PromoteOptions> = {}): Promise<PromoteResult> {
  await using registries = new Registries(async () => ({ retry: { delay: async () => {} } }));
  return promote({ from: [layout], promotions: [{ to: [to] }], registries, ...options });
}

describe('a promotion', () => {
  test('takes the image out of the daemon, and sends its layers', async () => {
    const fake = await FakeRegistry.start();
    const { images } = await promoteTo(`${fake.host}/app:1`, {
      openReference: async (reference, image) => {
        const to = await newLayout();
        await takeReferred({ from: daemon, reference, image, to });
        return to;
      },
    });
    expect(images).toMatchObject([{ name: 'app:1', id: saved.id }]);
    expect(fake.store.repository('app').manifests.get(images[0]!.digest)).toBeDefined();
    expect(daemon.saves).toHaveLength(1);
  });

  test.each(['another daemon', 'another image', 'no daemon'])('out of %s is refused', async (what) => {
    const fake = await FakeRegistry.start();
    const other = makeCargo({ layers: ['base', 'other'] });
    const openReference: PromoteOptions['openReference'] = async (reference, image) => {
      const to = await newLayout();
      if (what === 'another daemon') daemon.own = { ...daemon.own, id: 'TWO' };
      const liar = new LastingDaemon();
      await liar.hold(other.root, other.source, ['app:1']);
      liar.refer = async () => daemon.refer(reference.image);
      liar.inspect = async () => ({
        id: liar.held[0]!.id,
        names: [saved.ref],
        diffIds: liar.held[0]!.diffIds,
      });
      await takeReferred({ from: what === 'another image' ? liar : daemon, reference, image, to });
      return to;
    };
    const options = what === 'no daemon' ? {} : { openReference };
    const codes = {
      'another daemon': 'UNREACHABLE',
      'another image': 'DIGEST_MISMATCH',
      'no daemon': 'USAGE',
    };
    const code = Object.entries(codes).find(([key]) => key === what)?.[1];
    await expect(promoteTo(`${fake.host}/app:1`, options)).rejects.toMatchObject({ code });
    expect(fake.store.repository('app').manifests.size).toBe(0);
  });
});
