import { describe, expect, test } from 'vitest';
import { digestOf } from '../../src/oci/digest.ts';
import { buildManifest, toDocument } from '../../src/oci/manifest.ts';
import { OCI_CONFIG, OCI_INDEX, OCI_MANIFEST } from '../../src/oci/media-types.ts';
import { once } from '../../src/stream/tap.ts';
import { describeBytes } from '../../src/testing/sample-images.ts';
import { FakeRegistry, firstTimes } from '../support/fake-registry.ts';
import type { FakeRegistryOptions } from '../support/fake-registry-store.ts';
import type { RegistryRepository } from '../../src/registry/repository.ts';
import { registryOf } from './registries.ts';

const CONFIG = Buffer.from('{}');
const IMAGE = buildManifest(describeBytes(CONFIG, OCI_CONFIG), []);

async function withImage(
  options: FakeRegistryOptions = {},
  tags = ['1'],
): Promise<{ fake: FakeRegistry; repository: RegistryRepository }> {
  const fake = await FakeRegistry.start(options);
  const repository = registryOf(fake).repository('group/app');
  await repository.put(describeBytes(CONFIG, OCI_CONFIG), once(CONFIG));
  for (const tag of tags) await repository.putManifest(IMAGE, tag);
  return { fake, repository };
}

describe('an image', () => {
  test.each(['1', ':1', '@'])('is found by %j', async (how) => {
    const { repository } = await withImage();
    const reference = how === '@' ? IMAGE.descriptor.digest : how === '1' ? '1' : `${repository.name}:1`;
    expect((await repository.resolve(reference))[0].root).toEqual(IMAGE.descriptor);
  });

  test.each(['2', 'other/app:1', 'NO name', digestOf(Buffer.from('x'))])(
    'is not found by %j',
    async (reference) => {
      const { repository } = await withImage();
      await expect(repository.resolve(reference)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    },
  );

  test('is found where a reply without a body does not say enough', async () => {
    const { fake, repository } = await withImage();
    fake.faults.registry = firstTimes(
      1,
      ({ method }) => method === 'HEAD',
      (_, response) => response.writeHead(200).end(),
    );
    expect((await repository.resolve('1'))[0].root).toEqual(IMAGE.descriptor);
  });

  test('has all its tags for names, over several pages', async () => {
    const tags = Array.from({ length: 7 }, (_, i) => `v${i}`);
    const { fake, repository } = await withImage({}, tags);
    fake.store.page = 3;
    const names = tags.map((tag) => `${repository.name}:${tag}`);
    expect(await repository.images()).toEqual([{ root: IMAGE.descriptor, names, annotations: {} }]);
  });

  test('whose manifest is another than its digest says is refused', async () => {
    const { fake, repository } = await withImage();
    const held = fake.store.repository('group/app').manifests.get(IMAGE.descriptor.digest);
    if (held !== undefined) held.bytes = Buffer.from(held.bytes.toString().replace('2', '3'));
    fake.faults.registry = firstTimes(
      1,
      ({ method }) => method === 'HEAD',
      (_, response) => response.writeHead(200).end(),
    );
    await expect(repository.describe('1')).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
  });

  test('of which the registry lacks a part is refused', async () => {
    const fake = await FakeRegistry.start();
    const storing = registryOf(fake).repository('app').putManifest(IMAGE, '1');
    await expect(storing).rejects.toMatchObject({ code: 'INCOMPLETE', facts: { status: 400 } });
  });

  test('none are in a repository that does not exist', async () => {
    const fake = await FakeRegistry.start();
    expect(await registryOf(fake).repository('app').images()).toEqual([]);
  });
});

describe.each([true, false])('what refers to an image, with the API: %s', (referrers) => {
  const signature = toDocument(
    OCI_MANIFEST,
    JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      artifactType: 'application/x.signature',
      config: describeBytes(CONFIG, OCI_CONFIG),
      layers: [],
      subject: IMAGE.descriptor,
      annotations: { by: 'me' },
    }),
  );
  const listed = {
    ...signature.descriptor,
    artifactType: 'application/x.signature',
    annotations: { by: 'me' },
  };

  test('is listed with it, once', async () => {
    const { fake, repository } = await withImage({ referrers });
    const { digest } = IMAGE.descriptor;
    expect(await repository.referrers(IMAGE.descriptor)).toEqual([]);
    await repository.putReferrer(signature, digest, listed);
    await repository.putReferrer(signature, digest, listed);
    expect(await repository.referrers(IMAGE.descriptor)).toEqual([listed]);
    const tag = fake.store.repository('group/app').tags.get(digest.replace(':', '-'));
    expect(tag === undefined).toBe(referrers);
  });

  test('stays where another comes', async () => {
    const { repository } = await withImage({ referrers });
    const { digest } = IMAGE.descriptor;
    const text = signature.bytes.toString().replace('"me"', '"you"');
    const other = toDocument(OCI_MANIFEST, text);
    await repository.putReferrer(signature, digest, listed);
    await repository.putReferrer(other, digest, {
      ...listed,
      ...other.descriptor,
      annotations: { by: 'you' },
    });
    const found = await repository.referrers(IMAGE.descriptor);
    expect(found.map(({ annotations }) => annotations?.['by'])).toEqual(['me', 'you']);
  });
});

test('an entry of a list of referrers that cannot be read costs only itself, and stays', async () => {
  const { fake } = await withImage({ referrers: false });
  const registry = registryOf(fake);
  const repository = registry.repository('group/app');
  const { digest } = IMAGE.descriptor;
  const odd = { ...IMAGE.descriptor, size: 'large' };
  const good = { ...IMAGE.descriptor, artifactType: 'application/x.signature' };
  const bytes = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [odd, good] }),
  );
  const list = describeBytes(bytes, OCI_INDEX);
  const stored = fake.store.repository('group/app');
  stored.manifests.set(list.digest, { mediaType: OCI_INDEX, bytes });
  const tag = digest.replace(':', '-');
  stored.tags.set(tag, list.digest);
  expect(await repository.referrers(IMAGE.descriptor)).toEqual([good]);
  expect(registry.warnings).toEqual([
    `the referrers of ${fake.host}/group/app@${digest}: (no name) ${digest} is skipped: size: not a whole number of bytes`,
  ]);
  const signature = toDocument(OCI_MANIFEST, IMAGE.bytes.toString().replace('{', '{"artifactType":"x",'));
  await repository.putReferrer(signature, digest, signature.descriptor);
  const written = stored.manifests.get(stored.tags.get(tag) ?? digest)?.bytes.toString() ?? '{}';
  expect(JSON.parse(written)).toMatchObject({ manifests: [good, signature.descriptor, odd] });
});

test('what refers to a digest of sha512 is kept under the first 64 of its digits', async () => {
  const { fake, repository } = await withImage({ referrers: false });
  const digest = digestOf(IMAGE.bytes, 'sha512');
  const listed = { ...IMAGE.descriptor, artifactType: 'application/x.signature' };
  await repository.putReferrer(IMAGE, digest, listed);
  expect([...fake.store.repository('group/app').tags.keys()]).toContain(`sha512-${digest.slice(7, 71)}`);
  expect(await repository.referrers({ ...IMAGE.descriptor, digest })).toEqual([listed]);
});

test('a digest of an algorithm that the registry does not take is no damage, with what to do', async () => {
  const { repository } = await withImage();
  const digest = digestOf(IMAGE.bytes, 'sha512');
  const image = { ...IMAGE, descriptor: { ...IMAGE.descriptor, digest } };
  await expect(repository.putManifest(image, digest)).rejects.toMatchObject({
    code: 'UNSUPPORTED',
    message: expect.stringContaining('DIGEST_INVALID'),
    hint: expect.stringMatching(/^it may not take digests of sha512: /),
  });
});

test.each([
  [400, 'TAG_INVALID', "the image tag '1' already exists and cannot be overwritten"],
  [403, 'DENIED', 'tag is immutable'],
  [409, 'CONFLICT', 'manifest is configured as immutable'],
  [412, 'PRECONDITION', "'group/app:1' configured as immutable"],
])(
  'a tag that the registry does not let move (%i %s) is not to be tried again',
  async (status, code, message) => {
    const { fake, repository } = await withImage();
    fake.faults.registry = ({ method }, response) =>
      method === 'PUT'
        ? void response.writeHead(status).end(JSON.stringify({ errors: [{ code, message }] }))
        : 'pass';
    await expect(repository.putManifest(IMAGE, '1')).rejects.toMatchObject({
      code: 'UNSAFE',
      retryable: false,
      message: expect.stringContaining(message),
    });
    await expect(repository.putManifest(IMAGE, IMAGE.descriptor.digest)).rejects.toMatchObject({
      code: status === 403 ? 'DENIED' : 'REFUSED',
    });
  },
);

describe('a refusal is no rule about a tag', () => {
  test.each([
    ['group/immutable-base', '1', 'denied'],
    ['group/immutable-base', '1', "access to 'group/immutable-base:1' is denied"],
    ['immutable', '1', 'access to repository immutable denied'],
    ['group/app', 'no-overwrite', 'tag "no-overwrite", group/app:no-overwrite: denied'],
  ])('because of the name %s:%s (%s)', async (path, tag, message) => {
    const fake = await FakeRegistry.start();
    fake.faults.registry = (_, response) =>
      void response.writeHead(403).end(JSON.stringify({ errors: [{ code: 'DENIED', message }] }));
    const putting = registryOf(fake).repository(path).putManifest(IMAGE, tag);
    await expect(putting).rejects.toMatchObject({ code: 'DENIED', facts: { status: 403 } });
  });
});

test('an answer that is no list of referrers means that there is no API', async () => {
  const { fake, repository } = await withImage();
  fake.faults.registry = ({ url = '' }, response) =>
    url.includes('/referrers/')
      ? void response.writeHead(200, { 'content-type': 'text/html' }).end('<html>')
      : 'pass';
  expect(await repository.referrers(IMAGE.descriptor)).toEqual([]);
});

describe('a tag is taken away', () => {
  test.each(['tags', 'manifests'] as const)('where the registry deletes %s', async (deletes) => {
    const { fake, repository } = await withImage({ deletes }, ['1', '2']);
    expect(await repository.untag('1')).toBe(true);
    expect(await repository.untag('1')).toBe(false);
    const { tags, manifests } = fake.store.repository('group/app');
    expect([...tags]).toEqual([['2', IMAGE.descriptor.digest]]);
    expect([...manifests.keys()]).toEqual([IMAGE.descriptor.digest]);
  });

  test('although the answer to that was lost', async () => {
    const { fake, repository } = await withImage({}, ['1', '2']);
    fake.faults.registry = firstTimes(
      1,
      ({ method }) => method === 'DELETE',
      (_, response) => {
        fake.store.repository('group/app').tags.delete('1');
        response.writeHead(504).end();
      },
    );
    expect(await repository.untag('1')).toBe(true);
    expect([...fake.store.repository('group/app').tags.keys()]).toEqual(['2']);
  });

  test('where the registry knows no tags when it deletes', async () => {
    const { fake, repository } = await withImage({ deletes: 'manifests' }, ['1', '2']);
    fake.faults.registry = ({ method, url = '' }, response) =>
      method === 'DELETE' && url.endsWith('/1') ? void response.writeHead(404).end() : 'pass';
    expect(await repository.untag('1')).toBe(true);
    expect([...fake.store.repository('group/app').tags.keys()]).toEqual(['2']);
  });

  test('nowhere else, and then it means what it meant', async () => {
    const { fake, repository } = await withImage({ deletes: 'nothing' });
    await expect(repository.untag('1')).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      facts: { hint: expect.stringContaining('delete') },
    });
    expect(fake.store.repository('group/app').tags.get('1')).toBe(IMAGE.descriptor.digest);
  });
});

test('a sparse index is refused with what to do', async () => {
  const { repository } = await withImage();
  const child = { mediaType: OCI_MANIFEST, digest: digestOf(Buffer.from('absent')), size: 5 };
  const index = toDocument(
    OCI_INDEX,
    JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [child] }),
  );
  await expect(repository.putManifest(index, '2')).rejects.toMatchObject({
    code: 'INCOMPLETE',
    facts: { hint: expect.stringContaining('single platforms') },
  });
});
