import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { lazyRepositories } from '../../src/cli/bases.ts';
import { createProgram } from '../../src/cli/grammar/program.ts';
import { Authority } from '../support/certificates.ts';
import { startProxy } from '../support/fake-proxy.ts';
import { FakeRegistry } from '../support/fake-registry.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { contextOf } from './contexts.ts';

/** The hosts that a command line names. */
async function hostsOf(args: readonly string[]): Promise<unknown> {
  let hosts: unknown;
  const program = createProgram(async (_, options) => {
    hosts = 'plainHttp' in options ? options.plainHttp : undefined;
  });
  await program.parseAsync(args, { from: 'user' });
  return hosts;
}

const COMMANDS = [
  ['save', 'app:1'],
  ['load'],
  ['fetch', '--complete'],
  ['promote', 'app:1', 'registry.example/app:1'],
  ['untag', 'registry.example/app:1'],
];

test.each(COMMANDS)('%s takes hosts for plain http, one or several', async (...command) => {
  expect(await hostsOf(command)).toBeUndefined();
  const several = ['--plain-http', 'registry.example:5000', '--plain-http', 'localhost'];
  expect(await hostsOf([...command, ...several])).toEqual(['registry.example:5000', 'localhost']);
});

test('a variable holds several hosts', async () => {
  vi.stubEnv('DRAYAGE_PLAIN_HTTP', 'registry.example other.example:5000');
  onTestFinished(() => void vi.unstubAllEnvs());
  expect(await hostsOf(['load'])).toEqual(['registry.example', 'other.example:5000']);
});

test.each([
  [['untag', 'registry.example/app:1', '--plain-http'], 'argument missing'],
  [['untag', '--plain-http', 'registry.example/app:1'], 'It must be the host of a registry'],
  [['untag', 'registry.example/app:1', '--plain-http', '-q'], 'It must be the host of a registry'],
  [['promote', '--plain-http', 'app:1.0', 'registry.example/app:1'], 'It must be the host of a registry'],
  [['load', '--plain-http', 'app'], 'It must be the host of a registry'],
  [['load', '--plain-http=true'], 'It must be the host of a registry'],
])('%j names no host, which is a mistake', async (args, message) => {
  await expect(hostsOf(args)).rejects.toThrow(message);
});

test('bases are read by plain http from the hosts that are named, and from no others', async () => {
  const authority = new Authority();
  const tls = authority.issue({ names: ['other.example'] });
  const [proxy, fake] = [await startProxy(), await FakeRegistry.start()];
  const other = await FakeRegistry.start({ tls });
  const ca = join(await temporaryFolder(), 'ca.pem');
  await writeFile(ca, authority.cert);
  const hosts = [fake, other].map(({ host }) => host.replace('127.0.0.1', 'other.example'));
  const context = contextOf({ HTTP_PROXY: proxy.url, HTTPS_PROXY: proxy.url });
  await using repositories = lazyRepositories(
    { ca, plainHttp: hosts.slice(0, 1), registries: hosts },
    context,
  );
  for (const host of hosts) {
    const repository = await repositories.open(`${host}/app`, {});
    await expect(repository.resolve('1')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  }
  expect(proxy.seen).toEqual([`HEAD http://${hosts[0]}/v2/app/manifests/1`, `CONNECT ${hosts[1]}`]);
});
