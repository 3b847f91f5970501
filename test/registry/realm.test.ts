import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parseChallenges } from '../../src/registry/challenge.ts';
import { realmOf } from '../../src/registry/realm.ts';
import { describeBytes } from '../../src/testing/sample-images.ts';
import { FakeRegistry } from '../support/fake-registry.ts';
import { registryOf } from './registries.ts';

const PUBLIC = '93.184.216.34';
/** Where hosts are; all others are public. */
const ADDRESSES: Record<string, string> = {
  'registry.inside.example': '10.0.0.5',
  'gitlab.inside.example': '10.0.0.4',
  'local.example': '127.0.0.1',
  'metadata.example': '169.254.169.254',
  'six.example': 'fd00:ec2::254',
};

/** The token server that a challenge of a registry leads to. */
async function tokenServer(
  registry: string,
  challenge: string,
  tokenServers: readonly string[] = [],
): Promise<string> {
  const [parsed] = parseChallenges([challenge]);
  if (parsed === undefined) throw new Error('no challenge');
  const base = new URL(registry.includes('://') ? registry : `https://${registry}/`);
  const url = await realmOf(parsed, {
    host: base.host,
    base,
    tokenServers: new Set(tokenServers),
    lookup: async (name) => [ADDRESSES[name] ?? PUBLIC],
  });
  return url.href;
}

/** As the documents of each registry show its challenge; only the hosts are made up. */
const DOCUMENTED: [product: string, registry: string, challenge: string, realm: string | undefined][] = [
  [
    'Docker Hub',
    'registry-1.hub.example',
    'Bearer realm="https://auth.hub.example/token",service="registry.hub.example",scope="repository:library/node:pull"',
    'https://auth.hub.example/token',
  ],
  [
    'GHCR',
    'ghcr.example',
    'Bearer realm="https://ghcr.example/token",service="ghcr.example",scope="repository:user/image:pull"',
    'https://ghcr.example/token',
  ],
  [
    'ECR',
    '123456789012.dkr.ecr.eu-west-1.aws.example',
    'Basic realm="https://123456789012.dkr.ecr.eu-west-1.aws.example/",service="ecr.aws.example"',
    undefined,
  ],
  [
    'public ECR',
    'public.ecr.example',
    'Bearer realm="https://public.ecr.example/token/",service="public.ecr.example",scope="aws"',
    'https://public.ecr.example/token/',
  ],
  [
    'Quay',
    'quay.example',
    'Bearer realm="https://quay.example/v2/auth",service="quay.example",scope="repository:org/image:pull"',
    'https://quay.example/v2/auth',
  ],
  [
    'ACR',
    'name.azurecr.example',
    'Bearer realm="https://name.azurecr.example/oauth2/token",service="name.azurecr.example",scope="repository:image:metadata_read,pull"',
    'https://name.azurecr.example/oauth2/token',
  ],
  [
    'GAR',
    'europe-docker.pkg.example',
    'Bearer realm="https://europe-docker.pkg.example/v2/token",service="europe-docker.pkg.example",scope="repository:project/repo/image:pull"',
    'https://europe-docker.pkg.example/v2/token',
  ],
  [
    'Harbor',
    'harbor.example',
    'Bearer realm="https://harbor.example/service/token",service="harbor-registry",scope="repository:library/image:pull"',
    'https://harbor.example/service/token',
  ],
  [
    'Artifactory',
    'name.jfrog.example',
    'Bearer realm="https://name.jfrog.example/artifactory/api/docker/docker-local/v2/token",service="name.jfrog.example",scope="repository:docker-local/image:pull"',
    'https://name.jfrog.example/artifactory/api/docker/docker-local/v2/token',
  ],
  ['Artifactory with passwords', 'name.jfrog.example', 'Basic realm="Artifactory Realm"', undefined],
  [
    'GitLab.com',
    'registry.gitlab.example',
    'Bearer realm="https://gitlab.example/jwt/auth",service="container_registry",scope="repository:group/app:pull,push"',
    'https://gitlab.example/jwt/auth',
  ],
  [
    'a GitLab inside, with its registry on another host',
    'registry.inside.example',
    'Bearer realm="https://gitlab.inside.example/jwt/auth",service="container_registry",scope="repository:group/app:pull"',
    'https://gitlab.inside.example/jwt/auth',
  ],
  [
    'a GitLab inside, with its registry on another port',
    'gitlab.inside.example:5050',
    'Bearer realm="https://gitlab.inside.example/jwt/auth",service="container_registry",scope="repository:group/app:pull"',
    'https://gitlab.inside.example/jwt/auth',
  ],
];

describe('the documented challenge', () => {
  test.each(DOCUMENTED)('of %s is answered where it says', async (_, registry, challenge, realm) => {
    const [parsed] = parseChallenges([challenge]);
    expect(parsed?.scheme).toBe(realm === undefined ? 'basic' : 'bearer');
    if (realm !== undefined) expect(await tokenServer(registry, challenge)).toBe(realm);
  });
});

const bearer = (realm: string): string => `Bearer realm="${realm}",service="s"`;

describe('a token server', () => {
  test.each([
    ['on this machine', 'https://127.0.0.1:8443/token'],
    ['on this machine, by name', 'https://local.example/token'],
    ['on this machine, by another spelling', 'https://0x7f.1/token'],
    ['on this machine, by IPv6', 'https://[::ffff:127.0.0.1]/token'],
    ['that is a metadata service', 'https://169.254.169.254/latest/api/token'],
    ['that is a metadata service, by name', 'https://metadata.example/token'],
    ['that is a metadata service, by IPv6', 'https://six.example/token'],
    ['at no address', 'https://0.0.0.0/token'],
    ['in a private network', 'https://gitlab.inside.example/token'],
    ['with a password in its address', 'https://me:pw@auth.example/token'],
    ['with a user in its address', 'https://me@auth.example/token'],
    ['by plain http', 'http://auth.example/token'],
  ])('%s is not asked for a public registry', async (_, realm) => {
    await expect(tokenServer('registry.example', bearer(realm))).rejects.toMatchObject({ code: 'UNSAFE' });
  });

  test('on this machine is not asked for a registry on another port of it', async () => {
    const asking = tokenServer('http://127.0.0.1:5000/', bearer('http://127.0.0.1:5001/token'));
    await expect(asking).rejects.toMatchObject({
      code: 'UNSAFE',
      facts: { reason: 'TOKEN_SERVER', name: '127.0.0.1:5001' },
    });
    const own = tokenServer('http://127.0.0.1:5000/', bearer('http://127.0.0.1:5000/token'));
    expect(await own).toBe('http://127.0.0.1:5000/token');
  });

  test.each(['gitlab.inside.example', 'gitlab.inside.example:8443'])('is trusted as %s', async (trusted) => {
    const challenge = bearer('https://gitlab.inside.example:8443/jwt/auth');
    expect(await tokenServer('registry.example', challenge, [trusted])).toContain(
      'gitlab.inside.example:8443',
    );
    await expect(tokenServer('registry.example', challenge, ['inside.example'])).rejects.toThrow(
      'in a network',
    );
  });
});

/** Listens on the loopback, and counts. */
async function sibling(fake: () => FakeRegistry): Promise<{ host: string; seen: string[] }> {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    seen.push(request.url ?? '');
    fake().tokens.answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

const BLOB = describeBytes(Buffer.from('x'));
const challenge = (host: string, scope: string): string =>
  `Bearer realm="http://${host}/token",service="fake",scope="${scope}"`;

async function start(
  scope: string,
): Promise<{ fake: FakeRegistry; token: { host: string; seen: string[] } }> {
  const fake = await FakeRegistry.start({ auth: 'token' });
  const token = await sibling(() => fake);
  fake.faults.registry = ({ headers }, response) => {
    if (headers.authorization !== undefined) return 'pass';
    return void response.writeHead(401, { 'www-authenticate': challenge(token.host, scope) }).end();
  };
  return { fake, token };
}

describe('a registry with its token server on another port', () => {
  test('asks it only if it is trusted', async () => {
    const { fake, token } = await start('repository:app:pull');
    const asking = registryOf(fake).repository('app').has(BLOB);
    await expect(asking).rejects.toMatchObject({ code: 'UNSAFE' });
    expect(token.seen).toEqual([]);
    const trusting = registryOf(fake, { tokenServers: new Set([token.host]) });
    expect(await trusting.repository('app').has(BLOB)).toBe(false);
    expect(token.seen).toHaveLength(1);
  });

  test('gets no scope that a request does not need, whatever the challenge says', async () => {
    const { fake, token } = await start(
      'repository:app:pull repository:other/secret:pull,push,delete registry:catalog:*',
    );
    const registry = registryOf(fake, { tokenServers: new Set([token.host]) });
    await registry.repository('app').has(BLOB);
    const scopes = token.seen.map((url) => new URL(url, 'http://x').searchParams.getAll('scope'));
    expect(scopes).toEqual([['repository:app:pull']]);
  });
});
