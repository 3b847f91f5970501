import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openConnections, proxyVariables } from '../../src/cli/http.ts';
import { openRegistries } from '../../src/cli/registries.ts';
import { Http } from '../../src/http/http.ts';
import { drop } from '../../src/http/reply.ts';
import type { FakeProxy } from '../support/fake-proxy.ts';
import { startProxy } from '../support/fake-proxy.ts';
import { FakeRegistry } from '../support/fake-registry.ts';
import { SLOW, startSlowServer } from '../support/slow-server.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { contextOf } from './contexts.ts';

/** Asks a registry of this machine that is called by some name, with a proxy in all variables. */
async function ask(
  name: string,
  written = (url: string) => url,
): Promise<{ fake: FakeRegistry; proxy: FakeProxy; status: number }> {
  const [fake, proxy] = [await FakeRegistry.start(), await startProxy()];
  const address = written(proxy.url);
  const context = contextOf({ HTTP_PROXY: address, HTTPS_PROXY: address, NO_PROXY: 'other.example' });
  const connections = await openConnections(undefined, context);
  onTestFinished(() => connections[Symbol.asyncDispose]());
  const url = new URL(`http://${fake.host.replace('127.0.0.1', name)}/v2/`);
  const reply = await new Http(connections.dispatcher).send(url);
  drop(reply);
  return { fake, proxy, status: reply.status };
}

describe('a proxy', () => {
  test('is not asked for a host that NO_PROXY names', async () => {
    const proxy = await startProxy();
    const context = contextOf({ HTTP_PROXY: proxy.url, NO_PROXY: '10.0.0.0/8,.invalid:80' });
    await using connections = await openConnections(undefined, context);
    await expect(new Http(connections.dispatcher).send(new URL('http://a.invalid/'))).rejects.toBeDefined();
    expect(proxy.seen).toEqual([]);
  });

  test.each(['127.0.0.1', 'localhost'])('is not asked for %s', async (name) => {
    const { proxy, status } = await ask(name);
    expect([status, proxy.seen]).toEqual([200, []]);
  });

  test('is asked for a host that only begins as this machine does', async () => {
    const { proxy, fake, status } = await ask('localhost.example');
    const port = fake.host.split(':')[1];
    expect([status, proxy.seen]).toEqual([200, [`GET http://localhost.example:${port}/v2/`]]);
  });

  test.each(['/', '/proxy.pac', '?a=b', '/x/?a=b#c', '#c'])('may have %s after its address', async (more) => {
    const { proxy, status } = await ask('a.example', (url) => new URL(more, url).href);
    expect([status, proxy.seen.length]).toEqual([200, 1]);
  });

  test.each(Object.entries(SLOW).slice(0, 3))('that %s, and makes no tunnel, is given up', async (_, way) => {
    const { url } = await startSlowServer(way);
    const context = { ...contextOf({ HTTPS_PROXY: url.href }), idleTimeout: 150 };
    await using connections = await openConnections(undefined, context);
    await expect(
      new Http(connections.dispatcher, 150).send(new URL('https://a.example/')),
    ).rejects.toMatchObject({
      code: expect.stringMatching(/TIMEOUT|UNREACHABLE/) as string,
      retryable: true,
    });
  });

  test('may be written without a scheme', async () => {
    const { proxy, status } = await ask('a.example', (url) => url.replace('http://', ''));
    expect([status, proxy.seen.length]).toEqual([200, 1]);
  });

  test.each([
    [
      'HTTPS_PROXY',
      'socks5://user:secret@proxy.example:1080',
      'is a socks5:// proxy, which is not supported',
    ],
    ['HTTP_PROXY', 'socks://proxy.example:1080', 'is a socks:// proxy, which is not supported'],
    ['https_proxy', 'SOCKS5H://proxy.example', 'is a socks5h:// proxy, which is not supported'],
    ['http_proxy', 'ftp://proxy.example', 'is a ftp:// proxy, which is not supported'],
    ['HTTPS_PROXY', 'http://', 'is not valid'],
    ['HTTPS_PROXY', 'proxy.example:3128:1', 'is not valid'],
    ['HTTPS_PROXY', 'http://user:%zz@proxy.example', 'is not valid'],
    ['HTTP_PROXY', 'http://%C3:%A9@proxy.example', 'is not valid'],
    ['http_proxy', 'http://%C3:secret@proxy.example', 'is not valid'],
  ])('that cannot be used is told by its variable, without its login: %s=%s', async (name, address, what) => {
    await expect(openConnections(undefined, contextOf({ [name]: address }))).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringMatching(new RegExp(`^the (?:address of the )?proxy in ${name} ${what}$`)),
      hint: 'these forms are read: http://HOST:PORT, https://HOST:PORT and HOST:PORT',
    });
  });

  test.each([
    ['https_proxy', { https_proxy: 'socks5://proxy.example', HTTPS_PROXY: 'http://proxy.example' }],
    ['http_proxy', { http_proxy: 'ftp://proxy.example', HTTP_PROXY: 'socks5://proxy.example' }],
  ])('that cannot be used is told by %s, if that is the variable that counts', async (name, env) => {
    await expect(openConnections(undefined, contextOf(env))).rejects.toMatchObject({
      message: expect.stringContaining(`the proxy in ${name} is a `) as string,
    });
  });

  test('is named by the variables that count', () => {
    const env = { https_proxy: 'a.example', HTTPS_PROXY: 'b.example', HTTP_PROXY: 'c.example' };
    expect(proxyVariables(env)).toEqual(['https_proxy', 'HTTP_PROXY']);
    expect(proxyVariables({ http_proxy: '', HTTP_PROXY: 'c.example' })).toEqual(['HTTP_PROXY']);
  });

  test.each([
    ['HTTP_PROXY', 'https://a.invalid/'],
    ['http_proxy', 'https://a.invalid/'],
    ['HTTPS_PROXY', 'http://a.invalid/'],
    ['https_proxy', 'http://a.invalid/'],
  ])('in %s alone is not asked for %s', async (name, address) => {
    const proxy = await startProxy();
    await using connections = await openConnections(undefined, contextOf({ [name]: proxy.url }));
    const sent = new Http(connections.dispatcher).send(new URL(address));
    await expect(sent).rejects.toMatchObject({ message: expect.not.stringContaining('proxy') });
    expect(proxy.seen).toEqual([]);
  });

  test.each([
    [{ https_proxy: '', HTTPS_PROXY: 'p:3128' }, ['HTTPS_PROXY']],
    [{ HTTPS_PROXY: '', https_proxy: 'p:3128' }, ['https_proxy']],
    [{ http_proxy: '', HTTP_PROXY: '' }, []],
  ])('counts in the first spelling that is not empty: %j', (env, expected) => {
    expect(proxyVariables(env)).toEqual(expected);
  });

  test('may be written with blanks around it', async () => {
    const { proxy, status } = await ask('a.example', (url) => ` ${url.replace('http://', '')}\n`);
    expect([status, proxy.seen.length]).toEqual([200, 1]);
  });

  test.each([
    ['HTTPS_PROXY', '127.0.0.1:1', '127.0.0.1:1'],
    ['https_proxy', 'http://user:secret@127.0.0.1:1', '127.0.0.1:1'],
    ['HTTPS_PROXY', 'http://[::1]:1/', '[::1]:1'],
  ])('that cannot be reached is named without its login: %s=%s', async (name, address, host) => {
    await using connections = await openConnections(undefined, contextOf({ [name]: address }));
    const http = new Http(connections.dispatcher);
    await expect(http.send(new URL('https://a.example/v2/'))).rejects.toMatchObject({
      code: 'UNREACHABLE',
      message: expect.stringMatching(
        new RegExp(
          `^cannot reach the proxy ${host.replaceAll(/[[\]]/g, String.raw`\$&`)} for https://a.example/v2/: `,
        ),
      ),
    });
  });
});

test.each(['CI_SERVER_TLS_CA_FILE', 'certs.d'])(
  'authorities of %s that cannot be read are told',
  async (place) => {
    const folder = await temporaryFolder();
    const path = join(folder, 'registry.example', 'ca.crt');
    // A folder is read by nobody, not even by root.
    await mkdir(path, { recursive: true });
    const runner = place === 'certs.d' ? '' : path;
    const context = contextOf({ CI_SERVER_TLS_CA_FILE: runner, DRAYAGE_CERTS_D: folder });
    if (place === 'certs.d') {
      await using opened = await openRegistries({}, context);
      await opened.registries.repository('registry.example/app');
    } else {
      await using connections = await openConnections(undefined, context);
      expect(connections.dispatcher).toBeDefined();
    }
    expect(context.notes).toEqual([
      `the authorities in ${path} are not used, because it cannot be read: it is a folder (EISDIR)`,
    ]);
  },
);
