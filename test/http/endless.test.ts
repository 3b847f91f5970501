import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Budget, withBudget } from '../../src/budget.ts';
import { GitLab } from '../../src/gitlab/gitlab.ts';
import { OCI_INDEX } from '../../src/oci/media-types.ts';
import { Registry } from '../../src/registry/registry.ts';
import type { RegistryRepository } from '../../src/registry/repository.ts';
import { describeBytes } from '../../src/testing/sample-images.ts';

type Answer = (response: ServerResponse, count: number, request: IncomingMessage) => void;

/** A server that answers anything, and counts. */
async function serve(answer: Answer): Promise<{ host: string; count: () => number }> {
  let count = 0;
  const server = createServer((request, response) => answer(response, (count += 1), request));
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  onTestFinished(() => server.close().closeAllConnections());
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, count: () => count };
}

const retry = { attempts: 1 };

function gitlabAt(host: string): GitLab {
  const gitlab = new GitLab({ url: `http://${host}/api/v4`, jobToken: 'x', retry });
  onTestFinished(() => gitlab[Symbol.asyncDispose]());
  return gitlab;
}

function repositoryAt(host: string): RegistryRepository {
  const registry = new Registry(host, { plainHttp: new Set([host]), retry });
  onTestFinished(() => registry[Symbol.asyncDispose]());
  return registry.repository('app');
}

const JOB = { id: 1, name: 'test', status: 'success' };
const MANIFEST = { ...describeBytes(Buffer.from('{}')), annotations: {} };

/** Lists of servers: how to read one, and how a server sends a page of it. */
const LISTS: Record<
  string,
  { read: (host: string) => Promise<unknown>; page: (pad: unknown, next: number) => Answer }
> = {
  'jobs of a pipeline': {
    read: async (host) => gitlabAt(host).findJob({ name: 'build', project: '1', pipeline: '2' }),
    page: (pad, next) => (response) =>
      void response.setHeader('x-next-page', next).end(JSON.stringify([{ ...JOB, pad }])),
  },
  'tags of a repository': {
    read: async (host) => repositoryAt(host).tags(),
    page: (pad, next) => (response) =>
      void response
        .setHeader('link', `</v2/app/tags/list?last=${next}>; rel="next"`)
        .end(JSON.stringify({ tags: ['a'], pad })),
  },
  'referrers of a manifest': {
    read: async (host) => repositoryAt(host).referrers(MANIFEST),
    page: (pad, next) => (response) =>
      void response
        .setHeader('link', `</v2/app/referrers/x?last=${next}>; rel="next"`)
        .setHeader('content-type', OCI_INDEX)
        .end(JSON.stringify({ schemaVersion: 2, manifests: [MANIFEST], pad })),
  },
};

describe.each(Object.entries(LISTS))('a list of the %s', (_what, { read, page }) => {
  test('whose next page is one that was read is an error', async () => {
    const { host, count } = await serve(page('', 7));
    await expect(read(host)).rejects.toMatchObject({ code: 'UNREACHABLE' });
    expect(count()).toBe(2);
  });

  test.each<[string, unknown]>([
    ['large', 'x'.repeat(100_000)],
    ['many values', Array.from({ length: 2000 }, () => [])],
  ])('of pages without end, each of %s, ends with the budget', async (_pad, pad) => {
    const { host, count } = await serve((response, n, request) => page(pad, n + 1)(response, n, request));
    const budget = new Budget({ replyMemory: 1_000_000 });
    await expect(withBudget(async () => read(host), budget)).rejects.toMatchObject({ code: 'LIMIT' });
    expect(count()).toBeLessThan(12);
  });
});

test('small pages without end are limited in number', async () => {
  const { host, count } = await serve((response, n) => {
    response.setHeader('link', `</v2/app/tags/list?last=${n}>; rel="next"`).end('{"tags":["a"]}');
  });
  await expect(repositoryAt(host).tags()).rejects.toMatchObject({ code: 'LIMIT' });
  expect(count()).toBeLessThanOrEqual(1000);
});

test('one page may hold more items than a call takes arguments', async () => {
  const page = `[${Array.from({ length: 130_000 }, () => '{"id":1,"name":"","status":""}').join(',')}]`;
  const { host } = await serve((response) => void response.end(page));
  const finding = gitlabAt(host).findJob({ name: 'build', project: '1', pipeline: '2' });
  await expect(finding).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

test.each(['a\r\nx: y', 'a\nb', '\u0000', ' ', 'ü', 'x'.repeat(100_000)])(
  'a token that no header can carry is the fault of its server: %j',
  async (token) => {
    const { host } = await serve((response, _count, { url, headers }) => {
      if (url?.startsWith('/token') === true) response.end(JSON.stringify({ token }));
      else if (headers.authorization !== undefined) response.end('{"tags":[]}');
      else response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${host}/token"` }).end();
    });
    const reading = repositoryAt(host).tags();
    await expect(reading).rejects.toMatchObject({
      code: 'UNREACHABLE',
      message: expect.stringContaining('answers with a token that no request can carry') as string,
    });
  },
);

test.each([
  ['another protocol', 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x'],
  ['too many headers', `HTTP/1.1 200 OK\r\nX: ${'a'.repeat(100_000)}`],
  ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4'],
  ['a negative length', 'HTTP/1.1 200 OK\r\nContent-Length: -1'],
])('a server that answers with %s is not a failure of the program', async (_what, head) => {
  const { host } = await serve((response) => void response.socket?.end(`${head}\r\n\r\n`));
  await expect(repositoryAt(host).tags()).rejects.toMatchObject({ code: 'UNREACHABLE' });
});
