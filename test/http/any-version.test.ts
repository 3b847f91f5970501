import { once } from 'node:events';
import { createServer } from 'node:http';
import { buffer } from 'node:stream/consumers';
import type { Dispatcher } from 'undici';
import { Agent } from 'undici';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { DrayageError } from '../../src/errors.ts';
import type { HttpDispatcher } from '../../src/http/http.ts';
import { Http } from '../../src/http/http.ts';

const NEW = ['onRequestStart', 'onResponseStart', 'onResponseData', 'onResponseEnd', 'onResponseError'];
const OLD = ['onConnect', 'onHeaders', 'onData', 'onComplete', 'onError'];

let agent: Agent;
let url: URL;
beforeEach(async () => {
  agent = new Agent();
  const server = createServer((request, response) => {
    response.setHeader('x-twice', ['a', 'b']);
    request.pipe(response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    await agent.destroy();
    server.close();
  });
  const address = server.address();
  url = new URL(`http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/`);
});

/** A dispatcher that calls only some methods of a handler, and requires them. It has nothing but `dispatch`. */
function calling(methods: string[]): HttpDispatcher {
  return {
    dispatch: (options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler) => {
      const of = (name: string): unknown => Reflect.get(handler, name);
      for (const name of methods)
        if (typeof of(name) !== 'function') throw new TypeError(`invalid ${name} method`);
      const bound = methods.map((name) => [
        name,
        (...args: unknown[]): unknown => Reflect.apply(of(name) as () => unknown, handler, args),
      ]);
      return agent.dispatch(options, Object.fromEntries(bound) as Dispatcher.DispatchHandler);
    },
  };
}

test.each([
  ['the new methods only, as undici 8', NEW],
  ['the old methods only, as undici 6', OLD],
])('a dispatcher may call %s', async (_, methods) => {
  await using http = new Http(calling(methods));
  const body = Buffer.alloc(1_000_000, 'x');
  const reply = await http.send(url, { method: 'POST', body });
  expect([reply.status, reply.headers('x-twice')]).toEqual([200, ['a', 'b']]);
  expect((await buffer(reply.body)).equals(body)).toBe(true);
});

test.each([NEW, OLD])('a failure arrives through %s', async (...methods) => {
  await using http = new Http(calling(methods));
  const closed = new URL('http://127.0.0.1:1/');
  await expect(http.send(closed)).rejects.toMatchObject({ code: 'UNREACHABLE' });
});

test('what cannot dispatch is refused at once', () => {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a mistake of a program without types
  expect(() => new Http({} as HttpDispatcher)).toThrow(DrayageError);
});
