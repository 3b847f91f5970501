import { createServer } from 'node:http';
import { once } from 'node:events';
import { buffer } from 'node:stream/consumers';
import { Agent, EnvHttpProxyAgent, Pool } from 'undici';
import { expect, onTestFinished, test } from 'vitest';
import { loadClient, loadProxies, send } from '../src/undici.ts';

const absent = async (): Promise<never> => Promise.reject(new Error('no such file'));

test('the parts are those of the index', async () => {
  const index = await loadClient(absent);
  expect(await loadClient()).toEqual(index);
  expect(index.Agent).toBe(Agent);
  expect(await loadProxies()).toEqual({ EnvHttpProxyAgent, Pool });
});

test('a version of undici that has its parts elsewhere is loaded by its index', async () => {
  expect((await loadClient(absent)).Agent).toBe(Agent);
});

test('a request has the path and the query of its address, and no credentials', async () => {
  const server = createServer((request, response) => {
    response.end(JSON.stringify([request.method, request.url, request.headers.authorization ?? null]));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const agent = new Agent();
  onTestFinished(async () => {
    await agent.destroy();
    server.close();
  });
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const { body } = await send(agent, new URL(`http://u:p@127.0.0.1:${port}/a%20b?c=d&e`), { method: 'GET' });
  expect(JSON.parse((await buffer(body)).toString())).toEqual(['GET', '/a%20b?c=d&e', null]);
});
