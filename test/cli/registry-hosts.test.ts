import { expect, test } from 'vitest';
import { namedHosts, onlyNamedHosts } from '../../src/cli/registry-hosts.ts';
import { MemoryContent } from '../support/memory-content.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const AUTH = Buffer.from('me:pw').toString('base64');

/** The hosts that are named, each with what names it. */
async function hosts(
  options: Parameters<typeof namedHosts>[0],
  env: Record<string, string> = {},
): Promise<Record<string, string>> {
  const home = await temporaryFolder();
  const found = await namedHosts(options, { env: { HOME: home, ...env } });
  return Object.fromEntries(found.map(({ host, by }) => [host, by]));
}

const DEFAULT = { 'docker.io': 'default' };

test.each<[string, Parameters<typeof namedHosts>[0], Record<string, string>, Record<string, string>]>([
  ['nothing', {}, {}, {}],
  ['--registries', { registries: ['a.example:5000'] }, {}, { 'a.example:5000': '--registries' }],
  ['--plain-http', { plainHttp: ['a.example'] }, {}, { 'a.example': '--plain-http' }],
  ['--base', { base: ['a.example/group/base:1'] }, {}, { 'a.example': '--base' }],
  [
    'DOCKER_AUTH_CONFIG',
    {},
    {
      DOCKER_AUTH_CONFIG: JSON.stringify({
        auths: { 'https://a.example/v2/': { auth: AUTH }, 'b.example:443': {} },
        credHelpers: { 'c.example': 'x' },
      }),
    },
    {
      'a.example': 'DOCKER_AUTH_CONFIG',
      'b.example:443': 'DOCKER_AUTH_CONFIG',
      'c.example': 'DOCKER_AUTH_CONFIG',
    },
  ],
  [
    'the CI, with and without credentials',
    {},
    { CI_REGISTRY: 'registry.example', CI_DEPENDENCY_PROXY_SERVER: 'gitlab.example:443' },
    {
      'registry.example': 'the variables of GitLab',
      'gitlab.example:443': 'the variables of GitLab',
      'gitlab.example': 'the variables of GitLab',
    },
  ],
])('registries are named by %s', async (_, options, env, expected) => {
  expect(await hosts(options, env)).toEqual({ ...expected, ...DEFAULT });
});

test('a host that is not named is not opened, and its repository refuses whatever it is asked', async () => {
  const opened: string[] = [];
  const open = onlyNamedHosts(
    async (reference) => {
      opened.push(reference);
      return Object.assign(new MemoryContent([]), { resolve: async () => expect.fail() });
    },
    { registries: ['a.example'] },
    { env: { HOME: await temporaryFolder() } },
  );
  await open('a.example/x:1', {});
  await open('node:22', {});
  expect(opened).toEqual(['a.example/x:1', 'node:22']);
  for (const reference of [
    'b.example/x:1',
    'a.example:5000/x',
    'localhost/x',
    '127.0.0.1:5000/x',
    'x.a.example/y',
  ]) {
    const repository = await open(reference, {});
    const descriptor = { mediaType: 'x', digest: `sha256:${'0'.repeat(64)}` as const, size: 1 };
    for (const asking of [repository.has(descriptor), repository.open(descriptor), repository.resolve('x')])
      await expect(asking).rejects.toMatchObject({ code: 'POLICY', facts: { reason: 'UNNAMED_HOST' } });
  }
  expect(opened).toHaveLength(2);
});
