import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { Agent } from 'undici';
import type { Dispatcher } from 'undici';
import { expect, onTestFinished, test } from 'vitest';
import { connectedHosts, hostKey } from '../../src/agent.ts';
import { parseHost } from '../../src/docker/connect/host.ts';
import { Transport } from '../../src/docker/connect/transport.ts';
import { busyHosts, withFewConnections } from '../../src/http/connections.ts';
import { Http } from '../../src/http/http.ts';
import { readWhole } from '../../src/http/reply.ts';
import { tempFolder } from '../layout/folders.ts';

const LONG = { timeout: 30_000 };

/** A server of eight bytes, and its connections. */
async function startServer(path?: string) {
  const open = new Set<Socket>();
  const server = createServer((_, response) => void response.end('x'.repeat(8)));
  server.on('connection', (socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
  });
  await new Promise<void>((listening) => {
    if (path === undefined) server.listen(0, '127.0.0.1', listening);
    else server.listen(path, listening);
  });
  onTestFinished(() => server.close().closeAllConnections());
  const address = server.address() as AddressInfo | string;
  const port = typeof address === 'string' ? '' : `:${address.port}`;
  return { url: new URL(`http://127.0.0.1${port}/`), open, drop: () => server.closeAllConnections() };
}

/** Eight requests at once. The host is known as long as one runs. */
async function ask(http: Http, url: URL): Promise<void> {
  const one = async (): Promise<void> => {
    const reply = await http.send(url);
    expect([connectedHosts, busyHosts].map((hosts) => hosts.has(url.origin))).toEqual([true, true]);
    await readWhole(reply, 'here');
  };
  await Promise.all(Array.from({ length: 8 }, one));
}

async function expectNoHosts(): Promise<void> {
  await expect.poll(() => [...connectedHosts.keys(), ...busyHosts.keys()], LONG).toEqual([]);
}

test('hosts are forgotten when all connections to them are closed', async () => {
  const servers = [await startServer(), await startServer(), await startServer()];
  const clients = [new Http(undefined), new Http(undefined)];
  for (const http of clients) for (const { url } of servers) await ask(http, url);
  for (const http of clients) await http[Symbol.asyncDispose]();
  await expectNoHosts();
});

test('so are daemons', async () => {
  const path = join(tempFolder(), 's');
  await startServer(path);
  const transport = new Transport(parseHost(`unix://${path}`), 1000);
  const reply = await transport.open({ path: '/_ping' });
  expect([...connectedHosts.keys()]).toEqual([`unix://${path}`]);
  await readWhole(reply, 'here');
  await transport.close();
  await expectNoHosts();
});

test('so is a host that cannot be reached', async () => {
  await using http = new Http(undefined);
  const closed = await new Promise<URL>((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => done(new URL(`http://127.0.0.1:${port}/`)));
    });
  });
  await expect(http.send(closed)).rejects.toMatchObject({ code: 'UNREACHABLE' });
  await expectNoHosts();
});

test('a client that connects again to a forgotten host counts together with others', async () => {
  const { url, open, drop } = await startServer();
  const [one, other] = [new Http(undefined), new Http(undefined)];
  await ask(one, url);
  drop();
  await expectNoHosts();
  for (const http of [other, one, other]) {
    await ask(http, url);
    await expect.poll(() => open.size, LONG).toBeLessThanOrEqual(8);
  }
  for (const http of [one, other]) await http[Symbol.asyncDispose]();
  await expectNoHosts();
});

test.each([
  ['http://Example.test:80', 'http://example.test'],
  ['http://example.test/', 'http://example.test'],
  ['https://example.test:443', 'https://example.test'],
  ['http://example.test:8080/v2/', 'http://example.test:8080'],
  ['http://[0:0::1]:5000', 'http://[::1]:5000'],
  ['nowhere', 'nowhere'],
  ['', ''],
])('the host of %s is %s', (origin, host) => {
  expect(hostKey(origin)).toBe(host);
  if (URL.canParse(origin)) expect(hostKey(new URL(origin))).toBe(host);
});

test('requests to all forms of an origin take turns together', async () => {
  const running: Dispatcher.DispatchHandler[] = [];
  const held = { dispatch: (_: unknown, handler: Dispatcher.DispatchHandler) => running.push(handler) > 0 };
  const forms = ['http://example.test', 'http://example.test:80', new URL('http://EXAMPLE.test/')];
  const clients = [withFewConnections(held), withFewConnections(held)];
  for (let i = 0; i < 24; i++) {
    const options = { origin: forms[i % 3], path: '/', method: 'GET' } as const;
    clients[i % 2]?.dispatch(options, { onResponseError: () => undefined });
  }
  expect(running).toHaveLength(8);
  expect([...busyHosts.keys()]).toEqual(['http://example.test']);
  for (let ended = 0; ended < 24; ended++) {
    await expect.poll(() => running.length, LONG).toBeGreaterThan(ended);
    const handler = running[ended] ?? expect.fail();
    handler.onResponseError?.(new Agent() as never, new Error('ended'));
  }
  await expectNoHosts();
});
