import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { Agent } from 'undici';
import { afterEach, describe, expect, test } from 'vitest';
import { openConnections } from '../../src/cli/http.ts';
import { parseHost } from '../../src/docker/connect/host.ts';
import { Transport } from '../../src/docker/connect/transport.ts';
import { Http } from '../../src/http/http.ts';
import { drop, readWhole } from '../../src/http/reply.ts';
import { contextOf } from '../cli/contexts.ts';
import { tempFolder } from '../layout/folders.ts';

const cleanups: (() => void)[] = [];
afterEach(() => cleanups.splice(0).forEach((cleanup) => cleanup()));

/** A server that answers when it is told to, and counts its connections. */
async function startServer() {
  const waiting: (() => void)[] = [];
  let [open, most, pending, requests] = [0, 0, 0, 0];
  const server = createServer((_request, response) => {
    requests += 1;
    waiting.push(() => response.end('x'.repeat(1000)));
    pending = Math.max(pending, waiting.length);
  });
  server.on('connection', (socket) => {
    open += 1;
    most = Math.max(most, open);
    socket.on('close', () => (open -= 1));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  cleanups.push(() => server.close().closeAllConnections());
  const { port } = server.address() as AddressInfo;
  const arrived = async (count: number): Promise<void> => {
    for (;;) {
      if (requests >= count) return;
      await new Promise((later) => setTimeout(later, 5));
    }
  };
  const answerAll = (): void => waiting.splice(0).forEach((answer) => answer());
  return {
    url: new URL(`http://127.0.0.1:${port}/`),
    arrived,
    answerAll,
    counts: () => ({ most, pending, requests }),
  };
}

test.each([20, 40])('%d requests at once share eight connections to a host', async (n) => {
  const server = await startServer();
  // Several clients, of two kinds: the host does not know which one asks.
  const agent = new Agent();
  const clients = [new Http(undefined), new Http(undefined), new Http(agent)];
  const requests = Array.from({ length: n }, async (_, i) =>
    readWhole(await (clients[i % clients.length] ?? expect.fail()).send(server.url), 'here'),
  );
  for (let answered = 0; answered < n; answered += 8) {
    await server.arrived(Math.min(n, answered + 8));
    server.answerAll();
  }
  for (const bytes of await Promise.all(requests)) expect(bytes).toHaveLength(1000);
  expect(server.counts()).toMatchObject({ requests: n, pending: 8 });
  for (const client of clients) await client[Symbol.asyncDispose]();
  await agent.destroy();
});

test('a client opens eight connections to a host', async () => {
  const server = await startServer();
  await using http = new Http(undefined);
  const replies = Array.from({ length: 30 }, async () => readWhole(await http.send(server.url), 'here'));
  for (let answered = 0; answered < 30; answered += 8) {
    await server.arrived(Math.min(30, answered + 8));
    server.answerAll();
  }
  await Promise.all(replies);
  expect(server.counts().most).toBe(8);
});

test('requests beyond eight wait, and take the turn of one that fails or is dropped', async () => {
  const server = await startServer();
  await using http = new Http(undefined);
  const controllers = Array.from({ length: 8 }, () => new AbortController());
  const first = controllers.map(async ({ signal }) => http.send(server.url, { signal }));
  const settled = Promise.allSettled(first);
  await server.arrived(8);
  const more = [http.send(server.url), http.send(server.url)];
  await new Promise((later) => setTimeout(later, 20));
  expect(server.counts().requests).toBe(8);
  controllers[0]?.abort();
  await server.arrived(9);
  server.answerAll();
  for (const result of await settled) if (result.status === 'fulfilled') drop(result.value);
  await server.arrived(10);
  server.answerAll();
  for (const reply of await Promise.all(more)) expect(reply.status).toBe(200);
});

/** A server that counts its connections. */
async function startCounted(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
  path?: string,
) {
  let connections = 0;
  const open = new Set<Socket>();
  const server = createServer(answer);
  server.on('connection', (socket) => {
    connections += 1;
    open.add(socket);
    socket.on('close', () => open.delete(socket));
  });
  await new Promise<void>((listening) => {
    if (path === undefined) server.listen(0, '127.0.0.1', listening);
    else server.listen(path, listening);
  });
  cleanups.push(() => server.close().closeAllConnections());
  const address = server.address() as AddressInfo | string;
  const port = typeof address === 'string' ? '' : address.port;
  return { url: new URL(`http://127.0.0.1:${port}/`), connections: () => connections, open };
}

const answer = (_: IncomingMessage, response: ServerResponse): void => {
  setTimeout(() => response.end('x'), 20);
};
/** Eight requests at once, of each client in turn, twice. The server sees eight connections after each of these. */
const takeTurns = async (open: Set<Socket>, clients: readonly (() => Promise<unknown>)[]): Promise<void> => {
  for (const send of [...clients, ...clients]) {
    await Promise.all(Array.from({ length: 8 }, send));
    await expect.poll(() => open.size).toBe(8);
  }
};

describe('idle connections count for their host, whichever client has them', () => {
  test('of the library', async () => {
    const { url, open } = await startCounted(answer);
    await using one = new Http(undefined);
    await using other = new Http(undefined);
    const ask = async (http: Http): Promise<Buffer> => readWhole(await http.send(url), 'here');
    await takeTurns(open, [() => ask(one), () => ask(other)]);
  });

  test('of the command line, for one server under its own authorities and as a registry', async () => {
    const { url, open } = await startCounted(answer);
    const clients = await Promise.all(
      [[], []].map(async (more) => {
        const connections = await openConnections(
          undefined,
          contextOf({ HTTPS_PROXY: 'unused.example' }),
          more,
        );
        cleanups.push(() => void connections[Symbol.asyncDispose]());
        return new Http(connections.dispatcher);
      }),
    );
    await takeTurns(
      open,
      clients.map((http) => async () => readWhole(await http.send(url), 'here')),
    );
  });

  test('to a daemon', async () => {
    const folder = tempFolder();
    const { open } = await startCounted(answer, join(folder, 's'));
    const clients = [1, 2].map(() => new Transport(parseHost(`unix://${join(folder, 's')}`), 1000));
    await takeTurns(
      open,
      clients.map((transport) => async () => readWhole(await transport.open({ path: '/_ping' }), 'here')),
    );
    for (const transport of clients) await transport.close();
  });

  test('and one that is used is not closed', async () => {
    const late: ServerResponse[] = [];
    const { url, connections, open } = await startCounted((request, response) => {
      if (request.url === '/late') late.push(response);
      else answer(request, response);
    });
    await using one = new Http(undefined);
    await using other = new Http(undefined);
    const ask = async (http: Http, path = ''): Promise<string> =>
      String(await readWhole(await http.send(new URL(path, url)), 'here'));
    const five = async (http: Http): Promise<unknown> =>
      Promise.all(Array.from({ length: 5 }, async () => ask(http)));
    // The first three connections are used to the end, so the five idle ones must go.
    const used = Array.from({ length: 3 }, async () => ask(one, 'late'));
    await expect.poll(() => late.length).toBe(3);
    await five(one);
    expect(connections()).toBe(8);
    await five(other);
    expect(connections()).toBe(13);
    await expect.poll(() => open.size).toBe(8);
    for (const response of late) response.end('late');
    expect(await Promise.all(used)).toEqual(['late', 'late', 'late']);
  });
});

describe('a connection is used again', () => {
  test.each<['HEAD' | 'GET' | 'POST', status: number, body: string]>([
    ['HEAD', 200, 'x'.repeat(100_000)],
    ['GET', 401, '{"errors":[{"code":"UNAUTHORIZED"}]}'],
    ['GET', 307, ''],
    ['POST', 202, ''],
  ])('after the reply to %s with %i was dropped', async (method, status, body) => {
    const { url, connections } = await startCounted((_, response) => {
      response.writeHead(status, { 'content-length': body.length });
      response.end(method === 'HEAD' ? undefined : body);
    });
    await using http = new Http(undefined);
    for (let i = 0; i < 5; i++) drop(await http.send(url, { method }));
    expect(connections()).toBe(1);
  });

  test.each([
    ['announced', { 'content-length': 50_000_000 }],
    ['not announced', {}],
  ])('but not after a long body of a length that is %s: it is not read', async (_, headers) => {
    const { url, open } = await startCounted((_request, response) => {
      response.writeHead(200, headers);
      response.write(Buffer.alloc(100_000));
    });
    await using http = new Http(undefined);
    drop(await http.send(url));
    await expect.poll(() => open.size).toBe(0);
  });

  test('but not where a short body does not come', async () => {
    const { url, open } = await startCounted((_, response) => {
      response.writeHead(200, { 'content-length': 10 }).flushHeaders();
    });
    await using http = new Http(undefined);
    drop(await http.send(url));
    await expect.poll(() => open.size, { timeout: 5000 }).toBe(0);
  });

  test.each([0, 5])(
    'but not where a body follows the reply to HEAD, after %i ms: it is no reply to the next request',
    async (pause) => {
      const planted = 'HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nplanted';
      const server = createTcpServer((socket) => {
        socket.on('error', () => {});
        socket.on('data', (data) => {
          const isHead = data.toString().startsWith('HEAD');
          socket.write(`HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n${isHead ? '' : 'real'}`);
          if (isHead) setTimeout(() => socket.write(`body${planted}`), pause);
        });
      });
      await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
      cleanups.push(() => server.close());
      const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
      await using http = new Http(undefined);
      for (let i = 0; i < 3; i++) {
        drop(await http.send(url, { method: 'HEAD' }));
        expect(String(await readWhole(await http.send(url), 'here'))).toBe('real');
      }
    },
  );
});
