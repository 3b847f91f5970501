import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { provenanceOfBuild } from '../../../src/attest/statement.ts';
import { readBuild } from '../../../src/ci/gitlab/build.ts';
import type { Voucher } from '../../../src/content/policy.ts';
import { Layout } from '../../../src/layout/layout.ts';
import type { Descriptor } from '../../../src/oci/descriptor.ts';
import type { Digest } from '../../../src/oci/digest.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { buildIndex } from '../../../src/oci/image-index.ts';
import { buildManifest } from '../../../src/oci/manifest.ts';
import { OCI_CONFIG, OCI_MANIFEST } from '../../../src/oci/media-types.ts';
import { Registries } from '../../../src/registry/registries.ts';
import { describeBytes } from '../../../src/testing/sample-images.ts';
import { once } from '../../../src/stream/tap.ts';
import { promote } from '../../../src/verbs/promote/promote.ts';
import { sign } from '../../../src/verbs/sign.ts';
import type { TestCargo } from '../../docker/cargo.ts';
import { makeCargo } from '../../docker/cargo.ts';
import { always, PLANTED } from '../../registry/registries.ts';
import { entry, tar } from '../../support/archives/tar-bytes.ts';
import { FakeRegistry } from '../../support/fake-registry.ts';
import { SIGNING_JOB } from '../../support/gitlab-job.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const NOWHERE = { os: 'unknown', architecture: 'unknown' };
const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';
const ELSEWHERE = 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip';

/** What a layout holds when it is signed, and what comes later. */
interface Forgery {
  root: Descriptor;
  blobs: Map<Digest, Uint8Array>;
  later: readonly Digest[];
}

interface Forged {
  root: Descriptor;
  evil: Digest;
  blobs: Uint8Array[];
}

let count = 0;

/** An image with the config of a true one, whose first layer is claimed to be a foreign blob. */
function forged(app: TestCargo, mediaType = LAYER): Forged {
  const bytes = gzipSync(tar(entry('file', `foreign bytes ${count++}`)));
  const evil = { mediaType, digest: digestOf(bytes), size: bytes.length };
  const size = app.source.blobs.get(app.configDigest)?.length ?? expect.fail();
  const config = { mediaType: OCI_CONFIG, digest: app.configDigest, size };
  const manifest = buildManifest(config, [evil, ...app.layers.slice(1)]);
  return {
    root: manifest.descriptor,
    evil: evil.digest,
    blobs: [bytes, manifest.bytes],
  };
}

/** An index of a true image and a forged one, whose manifest comes later. */
function inIndex(child: Partial<Descriptor>): Forgery {
  const app = makeCargo({ layers: [`true ${count++}`] });
  const other = makeCargo({ layers: [`other ${count++}`], architecture: 'arm64' });
  const forgery = forged(other);
  const platform = { os: 'linux', architecture: 'arm64' };
  const index = buildIndex([
    { ...app.root, platform: { os: 'linux', architecture: 'amd64' } },
    { ...forgery.root, platform, ...child },
  ]);
  const content = [
    ...app.source.blobs.values(),
    ...other.source.blobs.values(),
    ...forgery.blobs,
    index.bytes,
  ];
  const blobs = new Map(content.map((bytes) => [digestOf(bytes), bytes]));
  return { root: index.descriptor, blobs, later: [forgery.root.digest] };
}

/** An index of an image and of an attestation about another one, which was taken out of the index. */
function attested(): Forgery & { statement: Digest } {
  const app = makeCargo({ layers: [`true ${count++}`] });
  const [config, statement] = [Buffer.from('{}'), Buffer.from('{"_type":"statement"}')];
  const manifest = buildManifest({ ...describeBytes(config), mediaType: OCI_CONFIG }, [
    { ...describeBytes(statement), mediaType: 'application/vnd.in-toto+json' },
  ]);
  const about = { 'vnd.docker.reference.digest': digestOf(Buffer.from('another image')) };
  const index = buildIndex([
    { ...app.root, platform: { os: 'linux', architecture: 'amd64' } },
    { ...manifest.descriptor, platform: NOWHERE, annotations: about },
  ]);
  const content = [...app.source.blobs.values(), config, statement, manifest.bytes, index.bytes];
  return {
    root: index.descriptor,
    blobs: new Map(content.map((bytes) => [digestOf(bytes), bytes])),
    later: [],
    statement: digestOf(statement),
  };
}

/** An image whose forged layer need not be distributed, and comes later. */
function elsewhere(): Forgery {
  const app = makeCargo({ layers: [`true ${count++}`, 'own'] });
  const { root, evil, blobs } = forged(app, ELSEWHERE);
  const content = [...app.source.blobs.values(), ...blobs];
  return {
    root,
    blobs: new Map(content.map((bytes) => [digestOf(bytes), bytes])),
    later: [evil],
  };
}

/** A layout that lacks for now what comes later. */
async function layoutOf({ root, blobs, later }: Forgery): Promise<Layout> {
  const layout = await Layout.create(`${await temporaryFolder()}/layout`);
  await layout.update(async (content) => {
    for (const [digest, bytes] of blobs)
      if (!later.includes(digest)) await content.put(describeBytes(bytes), once(bytes));
    content.add(root, ['app:1'], {});
  });
  return layout;
}

function pathIn(layout: Layout, digest: Digest): string {
  return join(layout.path, 'blobs', digest.replace(':', '/'));
}

interface Signed {
  predicate: { buildDefinition: { internalParameters: { unreadLayers?: Digest[] } } };
}

/** Signs the image. @returns who vouches for it then, by what was signed */
async function signed(layout: Layout): Promise<Voucher> {
  const unreadLayers: Digest[] = [];
  const { images } = await sign({
    layout,
    images: ['app:1'],
    statement: provenanceOfBuild(readBuild(SIGNING_JOB)),
    sign: async (statement) => {
      const { predicate } = JSON.parse(String(statement)) as Signed;
      unreadLayers.push(...(predicate.buildDefinition.internalParameters.unreadLayers ?? []));
      return statement;
    },
    now: new Date(0),
  });
  const digest = images[0]?.referrer ?? expect.fail();
  const facts = { names: null, origin: {}, unreadLayers, layersRead: true };
  return { mediaType: OCI_MANIFEST, digest, size: 0, signed: facts };
}

test.each<[string, Partial<Descriptor>]>([
  ['an image', {}],
  ['what may be an attestation', { platform: NOWHERE }],
])('an index is not signed while %s that it lists is absent', async (_, child) => {
  const forgery = inIndex(child);
  await expect(signed(await layoutOf(forgery))).rejects.toMatchObject({
    code: 'INCOMPLETE',
    facts: { digest: forgery.later[0] },
  });
});

test('an index is not signed while a blob of its attestation is absent', async () => {
  const { statement, ...image } = attested();
  const layout = await layoutOf(image);
  await rm(pathIn(layout, statement));
  await expect(signed(layout)).rejects.toMatchObject({ code: 'INCOMPLETE', facts: { digest: statement } });
});

test('an index is signed whose attestation is about an image that it does not list', async () => {
  expect((await signed(await layoutOf(attested()))).signed?.unreadLayers).toEqual([]);
});

test('a non-distributable layer that comes after the signature is proven when it is promoted', async () => {
  const forgery = elsewhere();
  const layout = await layoutOf(forgery);
  const voucher = await signed(layout);
  expect(voucher.signed?.unreadLayers).toEqual(forgery.later);
  for (const digest of forgery.later)
    await writeFile(pathIn(layout, digest), forgery.blobs.get(digest) ?? expect.fail());
  const fake = await FakeRegistry.start();
  await using registries = new Registries(async () => ({
    credentials: always(PLANTED),
    retry: { delay: async () => {} },
  }));
  const promoting = promote({
    from: [layout],
    promotions: [{ to: [`${fake.host}/app:1`] }],
    registries,
    authenticate: async () => [voucher],
  });
  await expect(promoting).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
  expect(fake.received).toBe(0);
});
