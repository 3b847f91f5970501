import { Agent } from 'undici';
import { describe, expect, onTestFinished, test } from 'vitest';
import { digestOf } from '../../src/oci/digest.ts';
import { OCI_INDEX, OCI_MANIFEST } from '../../src/oci/media-types.ts';
import { Authority } from '../support/certificates.ts';
import { FakeRegistry, firstTimes } from '../support/fake-registry.ts';
import type { FakeRegistryOptions } from '../support/fake-registry-store.ts';
import { registryOf } from './registries.ts';

const TAGS = ['a', 'b', 'c', 'd', 'e'];
const SUBJECT = { mediaType: OCI_MANIFEST, digest: digestOf(Buffer.from('subject')), size: 7 };

async function withTags(options: FakeRegistryOptions = {}): Promise<FakeRegistry> {
  const fake = await FakeRegistry.start(options);
  for (const tag of TAGS) fake.store.repository('app').tags.set(tag, SUBJECT.digest);
  fake.store.page = 2;
  return fake;
}

/** A page of a list of referrers. */
function indexOf(...manifests: unknown[]): string {
  return JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests });
}

/** Has the first page go on elsewhere. */
function goOnAt(fake: FakeRegistry, target: string): void {
  fake.faults.registry = (request, response) => {
    const isFirst = request.headers.authorization !== undefined && request.url?.endsWith('n=1000') === true;
    if (!isFirst) return 'pass';
    response.setHeader('link', `<${target}>; rel="next"`);
    response.setHeader('content-type', 'application/json');
    return void response.end(JSON.stringify({ tags: ['first'] }));
  };
}

describe('a page of a list', () => {
  test('that is cut is asked for again', async () => {
    const fake = await withTags();
    fake.faults.registry = firstTimes(
      2,
      ({ url = '' }) => url.includes('last=b'),
      (_, response) => {
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': 100 });
        response.write('{"tags":["c"', () => response.destroy());
      },
    );
    expect(await registryOf(fake).repository('app').tags()).toEqual(TAGS);
  });

  test('of referrers that is cut is asked for again', async () => {
    const fake = await FakeRegistry.start();
    fake.faults.registry = firstTimes(
      1,
      ({ url = '' }) => url.includes('/referrers/'),
      (_, response) => {
        response.writeHead(200, { 'content-type': OCI_INDEX, 'content-length': 100 });
        response.write('{"schemaVersion":2', () => response.destroy());
      },
    );
    expect(await registryOf(fake).repository('app').referrers(SUBJECT)).toEqual([]);
    expect(fake.requests(/referrers/)).toHaveLength(2);
  });

  test('of referrers that lists only entries that cannot be read is not the end', async () => {
    const fake = await FakeRegistry.start();
    const odd = { ...SUBJECT, digest: 'blake3:aa' };
    fake.faults.registry = ({ url = '' }, response) => {
      if (!url.includes('/referrers/')) return 'pass';
      response.setHeader('content-type', OCI_INDEX);
      if (url.includes('page=2')) return void response.end(indexOf(SUBJECT));
      response.setHeader('link', `<${url}?page=2>; rel="next"`);
      return void response.end(indexOf(odd, null, { ...odd, digest: 'blake3:bb' }));
    };
    const registry = registryOf(fake);
    expect(await registry.repository('app').referrers(SUBJECT)).toEqual([SUBJECT]);
    expect(registry.warnings).toEqual([
      `the referrers of ${fake.host}/app@${SUBJECT.digest}: (no name) blake3:aa is skipped: its digest algorithm is unknown; so are 2 more entries`,
    ]);
  });

  test('of referrers counts entries that cannot be read', async () => {
    const fake = await FakeRegistry.start();
    fake.faults.registry = ({ url = '' }, response) => {
      if (!url.includes('/referrers/')) return 'pass';
      response.setHeader('content-type', OCI_INDEX);
      return void response.end(indexOf(...Array<number>(10_001).fill(0)));
    };
    const registry = registryOf(fake);
    await expect(registry.repository('app').referrers(SUBJECT)).rejects.toMatchObject({ code: 'LIMIT' });
    expect(registry.warnings).toEqual([]);
  });

  test('that is gone midway is an error, not the end', async () => {
    const fake = await withTags();
    fake.faults.registry = ({ url = '' }, response) =>
      url.includes('last=b') ? void response.writeHead(404).end() : 'pass';
    await expect(registryOf(fake).repository('app').tags()).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('at another host is not asked for', async () => {
    const [fake, other] = [await withTags({ auth: 'basic' }), await withTags()];
    goOnAt(fake, `http://${other.host.replace('127.0.0.1', 'localhost')}/v2/app/tags/list?key=planted`);
    const error: unknown = await registryOf(fake)
      .repository('app')
      .tags()
      .catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'UNSAFE', message: expect.stringContaining('another host') });
    expect(String(error) + JSON.stringify(error)).not.toContain('planted');
    expect(other.seen).toEqual([]);
  });

  test('whose path begins with two slashes names no other host', async () => {
    const [fake, other] = [await withTags({ auth: 'basic' }), await withTags()];
    goOnAt(fake, `http://127.0.0.1//${other.host}/none`);
    const tags = registryOf(fake).repository('app').tags();
    await expect(tags).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(fake.requests(/^GET \/\/127/)).toHaveLength(1);
    expect(other.seen).toEqual([]);
  });

  test('that is called by http, or by another port, is asked for where the registry was reached', async () => {
    const authority = new Authority();
    const fake = await withTags({ auth: 'basic', tls: authority.issue({ names: ['127.0.0.1'] }) });
    const plain = await withTags();
    goOnAt(fake, `http://${plain.host}/v2/app/tags/list?n=2&last=c`);
    const dispatcher = new Agent({ connect: { ca: authority.cert } });
    onTestFinished(() => dispatcher.destroy());
    expect(await registryOf(fake, { dispatcher }).repository('app').tags()).toEqual(['first', 'd', 'e']);
    expect(plain.seen).toEqual([]);
  });
});
