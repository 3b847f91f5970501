import { lookup } from 'node:dns/promises';
import type { LookupAddress } from 'node:dns';
import { describe, expect, test } from 'vitest';
import { hintOf } from '../../src/cli/hints.ts';
import { isDrayageError } from '../../src/errors.ts';
import { assertMayLeadTo, mayLeadTo } from '../../src/http/led-to.ts';
import { freeHost, judgedLookup, limitHost } from '../../src/http/nearness.ts';
import { GitLab } from '../../src/gitlab/gitlab.ts';
import { realmOf } from '../../src/registry/realm.ts';
import { describeBytes } from '../../src/testing/sample-images.ts';
import { registryOf } from '../registry/registries.ts';
import { FakeGitLab, JOB_TOKEN } from '../support/fake-gitlab.ts';
import { FakeRegistry } from '../support/fake-registry.ts';
import { MemoryContent } from '../support/memory-content.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** Where hosts are; a host that is not listed cannot be resolved. */
const ADDRESSES: Record<string, string[]> = {
  'public.example': ['93.184.216.34'],
  'storage.example': ['93.184.216.35', '2606:2800::1'],
  'both.example': ['93.184.216.36', '10.0.0.9'],
  'inside.example': ['10.0.0.4'],
  'minio.inside.example': ['192.168.7.1', 'fd12::7'],
  'local.example': ['127.0.0.1'],
  'metadata.example': ['169.254.169.254'],
};

async function resolve(name: string): Promise<string[]> {
  const found = ADDRESSES[name];
  if (found === undefined) throw new Error('ENOTFOUND');
  return found;
}

const from = (base: string): ((target: string, trusted?: string) => Promise<boolean>) => {
  return async (target, trusted) =>
    mayLeadTo(new URL(target), {
      base: new URL(base),
      trusted: trusted === undefined ? undefined : new Set([trusted]),
      lookup: resolve,
    });
};

describe('a server leads', () => {
  test.each([
    ['https://public.example/', 'https://storage.example/x'],
    ['https://public.example/', 'https://unknown.example/x'],
    ['https://public.example/', 'https://public.example/other'],
    ['https://inside.example/', 'https://storage.example/x'],
    ['https://inside.example/', 'https://minio.inside.example:9000/x'],
    ['https://inside.example/', 'https://10.9.9.9/x'],
    ['http://127.0.0.1:5000/', 'http://127.0.0.1:9000/x'],
    ['http://127.0.0.1:5000/', 'https://inside.example/x'],
  ])('%s to %s', async (base, target) => {
    expect(await from(base)(target)).toBe(true);
  });
});

describe('a server does not lead', () => {
  test.each([
    ['https://public.example/', 'https://inside.example/x'],
    ['https://public.example/', 'https://both.example/x'],
    ['https://public.example/', 'https://local.example/x'],
    ['https://public.example/', 'https://169.254.169.254/latest/meta-data'],
    ['https://public.example/', 'http://[::ffff:169.254.169.254]/latest'],
    ['https://public.example/', 'https://0x7f.1/x'],
    ['https://public.example/', 'https://0.0.0.0:2375/x'],
    ['https://public.example/', 'https://[fd00:ec2::254]/x'],
    ['https://unknown.example/', 'https://10.0.0.4/x'],
    ['https://both.example/', 'https://inside.example/x'],
    ['https://inside.example/', 'https://metadata.example/x'],
    ['https://inside.example/', 'https://127.0.0.1:2375/x'],
    ['http://127.0.0.1:5000/', 'http://169.254.169.254/x'],
  ])('%s to %s', async (base, target) => {
    expect(await from(base)(target)).toBe(false);
  });

  test('anywhere near, unless that host is trusted, with or without its port', async () => {
    const lead = from('https://public.example/');
    expect(await lead('https://inside.example:9000/x', 'inside.example')).toBe(true);
    expect(await lead('https://inside.example:9000/x', 'inside.example:9000')).toBe(true);
    expect(await lead('https://inside.example:9000/x', 'inside.example:9001')).toBe(false);
    const options = { base: new URL('https://public.example/'), lookup: resolve };
    await expect(
      assertMayLeadTo(new URL('https://inside.example:9000/x?signature=1'), options),
    ).rejects.toMatchObject({
      code: 'UNSAFE',
      facts: { reason: 'NEAR_HOST', name: 'inside.example:9000', url: 'https://inside.example:9000/x' },
    });
  });
});

const connected = async (hostname: string, all = true): Promise<string | LookupAddress[]> =>
  new Promise((done, reject) => {
    judgedLookup(hostname, { all }, (error, found) => (error === null ? done(found) : reject(error)));
  });

/** The system resolves `localhost` to this machine: so it stands for a name whose addresses have changed. */
describe('a name that was judged', () => {
  test('is not connected if it leads to this machine by then', async () => {
    limitHost('localhost', 'public');
    await expect(connected('localhost')).rejects.toMatchObject({ code: 'EADDRNOTAVAIL' });
    await expect(connected('localhost', false)).rejects.toMatchObject({ code: 'EADDRNOTAVAIL' });
    limitHost('localhost', 'loopback');
    await expect(connected('localhost'), 'the strictest limit counts').rejects.toThrow();
  });

  test('is connected wherever it is if the job names it', async () => {
    limitHost('localhost', 'public');
    freeHost('localhost');
    limitHost('localhost', 'public');
    expect(await connected('localhost')).toEqual(await lookup('localhost', { all: true }));
    expect(typeof (await connected('localhost', false))).toBe('string');
  });
});

test.each<[target: string, isProposed: boolean]>([
  ['https://inside.example/x', true],
  ['https://local.example:9000/x', true],
  ['https://169.254.169.254/x', false],
  ['https://[::ffff:169.254.169.254]/x', false],
  ['https://metadata.example/x', false],
  ['https://0.0.0.0:2375/x', false],
])('who is led to %s is told to trust it: %s', async (target, isProposed) => {
  const options = { base: new URL('https://public.example/'), lookup: resolve };
  const leading = assertMayLeadTo(new URL(target), options).catch((error: unknown) => error);
  const parameters = new Map([['realm', target]]);
  const asking = realmOf({ scheme: 'bearer', parameters }, { ...options, host: 'public.example' }).catch(
    (error: unknown) => error,
  );
  for (const error of [await leading, await asking])
    expect(isDrayageError(error, 'UNSAFE') && hintOf(error.facts) !== undefined).toBe(isProposed);
});

describe('who is on this machine', () => {
  const BLOB = describeBytes(Buffer.from('x'));
  const METADATA = 'http://169.254.169.254/latest/meta-data/';

  test('as a registry leads no read to a metadata service', async () => {
    const fake = await FakeRegistry.start();
    fake.faults.registry = ({ url = '' }, response) =>
      url.includes('/blobs/') ? void response.writeHead(307, { location: METADATA }).end() : 'pass';
    await expect(registryOf(fake).repository('app').open(BLOB)).rejects.toMatchObject({
      code: 'UNSAFE',
      facts: { reason: 'NEAR_HOST', name: '169.254.169.254' },
    });
  });

  test('as a registry leads no upload to a metadata service', async () => {
    const fake = await FakeRegistry.start();
    fake.faults.registry = ({ method }, response) =>
      method === 'POST' ? void response.writeHead(202, { location: METADATA }).end() : 'pass';
    const uploading = registryOf(fake)
      .repository('app')
      .upload(BLOB, new MemoryContent([Buffer.from('x')]));
    await expect(uploading).rejects.toMatchObject({ code: 'UNSAFE', facts: { reason: 'NEAR_HOST' } });
  });

  test('as a GitLab leads no download to a metadata service', async () => {
    const fake = await FakeGitLab.start();
    fake.faults.api = (_, response) => void response.writeHead(302, { location: METADATA }).end();
    await using gitlab = new GitLab({ url: fake.url, jobToken: JOB_TOKEN });
    const opening = gitlab.openArtifact(await gitlab.findJob({ jobId: '7' }), {
      temporary: await temporaryFolder(),
    });
    await expect(opening).rejects.toMatchObject({ code: 'UNSAFE', facts: { reason: 'NEAR_HOST' } });
  });
});
