import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { signaturePolicy } from '../../src/attest/authenticate.ts';
import { bundleReferrer } from '../../src/attest/referrer.ts';
import { provenanceOfBuild } from '../../src/attest/statement.ts';
import { loadTrust } from '../../src/attest/trust.ts';
import { expectationsOf } from '../../src/ci/expectations.ts';
import { readBuild } from '../../src/ci/gitlab/build.ts';
import { readOrigin } from '../../src/ci/gitlab/job.ts';
import { originPolicy } from '../../src/ci/origin-policy.ts';
import { originAnnotations } from '../../src/ci/origin.ts';
import type { ImageReference } from '../../src/image/reference.ts';
import { buildReference, readReference } from '../../src/image/reference.ts';
import { Layout } from '../../src/layout/layout.ts';
import { REVISION } from '../../src/oci/annotations.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { parsePlatform } from '../../src/oci/platform.ts';
import { Registries } from '../../src/registry/registries.ts';
import { selectAny } from '../../src/select/select.ts';
import type { Selection } from '../../src/select/selection.ts';
import { once } from '../../src/stream/tap.ts';
import { load } from '../../src/verbs/load/load.ts';
import { promote } from '../../src/verbs/promote/promote.ts';
import { saveReference } from '../../src/verbs/save-reference.ts';
import { sign } from '../../src/verbs/sign.ts';
import { takeReferred } from '../../src/verbs/take-referred.ts';
import { verify } from '../../src/verbs/verify/verify.ts';
import { bytesOf, keyBundle, keyPair } from '../attest/bundles.ts';
import type { TestCargo } from '../docker/cargo.ts';
import { makeCargo } from '../docker/cargo.ts';
import { fakeDigest } from '../oci/documents.ts';
import { FakeRegistry } from '../support/fake-registry.ts';
import { gitlabJob, SIGNING_JOB } from '../support/gitlab-job.ts';
import { LastingDaemon } from '../support/lasting-daemon.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const KEYS = keyPair();
const APP = makeCargo({ layers: ['base', 'app'] });
const OTHER = makeCargo({ layers: ['base', 'other'] });
const JOB = (id: string): Record<string, string> => ({ ...SIGNING_JOB, ...gitlabJob(id, 'build') });

let daemon: LastingDaemon;
let registry: FakeRegistry;
beforeEach(async () => {
  daemon = new LastingDaemon();
  await daemon.hold(APP.root, APP.source, ['app:1', 'web:1']);
  await daemon.hold(OTHER.root, OTHER.source, ['other:1']);
  registry = await FakeRegistry.start();
});

/** A layout with a signed reference, its signature and its content. */
interface Signed {
  layout: Layout;
  root: Descriptor;
  bundle: Buffer;
  reference: ImageReference;
  annotations: Record<string, string>;
}

async function newLayout(): Promise<Layout> {
  return Layout.create(join(await temporaryFolder(), 'layout'));
}

async function signed(job = '100'): Promise<Signed> {
  const name = 'app:1';
  const layout = await newLayout();
  const annotations = originAnnotations(readOrigin(JOB(job)));
  const lease = { pipeline: '4711', now: new Date(0) };
  const { images } = await saveReference({ from: daemon, images: [name], to: layout, annotations, lease });
  let bundle: Buffer = Buffer.alloc(0);
  const statement = provenanceOfBuild(readBuild(JOB(job)));
  const seal = async (text: Buffer): Promise<Buffer> => (bundle = bytesOf(keyBundle(KEYS.privateKey, text)));
  await sign({ layout, images: [name], statement, sign: seal, now: new Date(0) });
  const all = await layout.images({ references: true });
  const root = all.find((image) => image.root.digest === images[0]?.digest)!.root;
  return { layout, root, bundle, reference: (await readReference(layout, root))!, annotations };
}

async function selection(): Promise<Selection> {
  const origin = readOrigin(JOB('100'));
  const authenticate = signaturePolicy(await loadTrust(KEYS), { values: { commit: [origin.commit] } });
  return { policy: originPolicy(expectationsOf(origin)), authenticate };
}

/** Each verb that judges a reference; it ends with the error of a refusal. */
const VERBS: Readonly<Record<string, (layout: Layout) => Promise<unknown>>> = {
  load: async (layout) => load({ from: [layout], to: daemon, ...(await selection()) }),
  promote: async (layout) => {
    await using registries = new Registries(async () => ({}));
    return promote({
      from: [layout],
      promotions: [{ to: [`${registry.host}/app:1`] }],
      registries,
      openReference: async (reference, image) => {
        const to = await newLayout();
        await takeReferred({ from: daemon, reference, image, to });
        return to;
      },
      ...(await selection()),
    });
  },
  verify: async (layout) => {
    const { images } = await verify({ layout, ...(await selection()) });
    for (const { refusal } of images) if (refusal !== null) throw refusal;
    return images;
  },
};

/** Puts an edited reference in place of a signed one, under its names, and the old signature beside it. */
async function forge(
  { layout, root, bundle, reference, annotations }: Signed,
  change: Partial<ImageReference>,
) {
  const forged = buildReference({ ...reference, ...change });
  const beside = bundleReferrer(forged.root, bundle, new Date(0));
  await layout.update(async (content) => {
    for (const { descriptor, bytes } of [...forged.documents, ...beside.documents])
      await content.put(descriptor, once(bytes));
    content.remove(root.digest);
    content.add(forged.root, ['app:1'], annotations);
    content.add(beside.root, [], {});
  });
}

const idOf = (cargo: TestCargo): ImageReference['id'] => cargo.configDigest;
const OWN = { id: 'ONE', name: 'runner-1', root: '/var/lib/docker' };

describe.each(Object.entries(VERBS))('%s', (_verb, run) => {
  /** Expects a refusal, and that neither the daemon nor the registry has changed. */
  async function refused({ layout }: Signed, reason: string): Promise<void> {
    const names = structuredClone(daemon.held.map((image) => image.names));
    await expect(run(layout)).rejects.toMatchObject({ code: 'POLICY', facts: { reason } });
    expect(daemon.held.map((image) => image.names)).toEqual(names);
    expect(registry.store.repository('app').manifests.size).toBe(0);
  }

  test('accepts a reference whose signature it expects', async () => {
    const { layout } = await signed();
    expect(await run(layout)).toBeDefined();
  });

  test.each<[string, Partial<ImageReference>]>([
    ['another image of the daemon', { id: idOf(OTHER), image: idOf(OTHER) }],
    ['other diffIDs', { diffIds: [fakeDigest('e')] }],
    ['another platform', { platform: parsePlatform('linux/arm64') }],
    ['another time', { created: '2026-01-02T03:04:05Z' }],
    ['another commit', { labels: { [REVISION]: 'b'.repeat(40) } }],
    ['another daemon by ID', { daemon: { ...OWN, id: 'TWO' } }],
    ['another daemon by name', { daemon: { ...OWN, name: 'runner-2' } }],
    ['another daemon by folder', { daemon: { ...OWN, root: '/mnt/docker' } }],
  ])('refuses an edited reference to %s with the signature of the true one beside it', async (_, change) => {
    const one = await signed();
    await forge(one, change);
    await refused(one, 'SUBJECT');
  });

  test('refuses a reference without the signature that was beside it', async () => {
    const one = await signed();
    const referrers = await one.layout.referrers(one.root);
    await one.layout.update(async (content) => referrers.forEach(({ digest }) => content.remove(digest)));
    await refused(one, 'UNSIGNED');
  });

  test('refuses a reference under a name that was not signed', async () => {
    const one = await signed();
    await one.layout.update(async (content) => {
      content.remove('app:1');
      content.add(one.root, ['web:1'], one.annotations);
    });
    await refused(one, 'NAME');
  });

  test('refuses an image whose config a signed reference names', async () => {
    const one = await signed();
    const beside = bundleReferrer(APP.root, one.bundle, new Date(0));
    await one.layout.update(async (content) => {
      for (const [digest, bytes] of APP.source.blobs)
        await content.put({ mediaType: 'application/octet-stream', digest, size: bytes.length }, once(bytes));
      for (const { descriptor, bytes } of beside.documents) await content.put(descriptor, once(bytes));
      content.remove(one.root.digest);
      content.add(APP.root, ['app:1'], one.annotations);
      content.add(beside.root, [], {});
    });
    await refused(one, 'SUBJECT');
  });
});

describe('of two runs of a job, the signed numbers of their references decide', () => {
  test.each<[string, Record<string, string>, Record<string, string>]>([
    ['whatever raises the old one', { 'dev.drayage.gitlab.job-id': '999' }, {}],
    ['whatever lowers the new one', {}, { 'dev.drayage.gitlab.job-id': '1' }],
    ['whatever hides the new one', {}, { 'dev.drayage.gitlab.pipeline-id': '4000' }],
  ])('%s', async (_, ofOld, ofNew) => {
    const old = await signed('100');
    daemon.held.length = 0;
    await daemon.hold(OTHER.root, OTHER.source, ['app:1']);
    const later = await signed('200');
    for (const [{ layout, root, annotations }, change] of [
      [old, ofOld],
      [later, ofNew],
    ] as const)
      await layout.update(async (content) => content.add(root, ['app:1'], { ...annotations, ...change }));
    for (const images of [undefined, ['app:1']]) {
      const places = [old.layout, later.layout];
      const chosen = await selectAny(places, { ...(await selection()), images });
      expect(chosen.map(({ root }) => root.digest)).toEqual([later.root.digest]);
    }
  });
});

test('the platform of a signed reference is its own, whatever the index states', async () => {
  const { layout, root, annotations } = await signed();
  const arm = { ...root, platform: parsePlatform('linux/arm64') };
  await layout.update(async (content) => {
    content.remove(root.digest);
    content.add(arm, ['app:1'], annotations);
  });
  const [chosen] = await selectAny([layout], await selection());
  expect(chosen?.image.root).toMatchObject({ digest: root.digest, platform: parsePlatform('linux/amd64') });
});
