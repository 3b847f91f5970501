import { setTimeout as sleep } from 'node:timers/promises';
import { buffer } from 'node:stream/consumers';
import { describe, expect, onTestFinished, test } from 'vitest';
import { connectDocker } from '../../src/docker/daemon.ts';
import { GitLab } from '../../src/gitlab/gitlab.ts';
import { Http } from '../../src/http/http.ts';
import { readWhole } from '../../src/http/reply.ts';
import { Registry } from '../../src/registry/registry.ts';
import { describeBytes } from '../../src/testing/sample-images.ts';
import { SLOW, startSlowServer } from '../support/slow-server.ts';

const WAYS = Object.keys(SLOW);
const idleTimeout = 150;
const TOO_LATE = { code: 'TIMEOUT', facts: { reason: 'IDLE' }, retryable: true };
const once = { attempts: 1 };

async function slow(way: string): Promise<{ url: URL; host: string }> {
  return startSlowServer(SLOW[way] ?? (() => {}));
}

function client(timeout: number = idleTimeout): Http {
  const http = new Http(undefined, timeout);
  onTestFinished(() => http[Symbol.asyncDispose]());
  return http;
}

describe.each(WAYS)('a server that %s is given up', (way) => {
  test('by the client for documents', async () => {
    const { url } = await slow(way);
    const asking = client()
      .send(url)
      .then(async (reply) => readWhole(reply, 'the document'));
    await expect(asking).rejects.toMatchObject(TOO_LATE);
  });

  test('by the client for an upload', async () => {
    const { url } = await slow(way);
    const asking = client()
      .send(url, { method: 'PUT', body: Buffer.alloc(1000), isLong: true })
      .then(async (reply) => readWhole(reply, 'the reply'));
    await expect(asking).rejects.toMatchObject(TOO_LATE);
  });

  test('as a GitLab', async () => {
    const { url } = await slow(way);
    await using gitlab = new GitLab({ url: `${url.href}api/v4`, jobToken: 'x', retry: once, idleTimeout });
    const finding = gitlab.findJob({ name: 'build', project: '1', pipeline: '2' });
    await expect(finding).rejects.toMatchObject(TOO_LATE);
    const job = await gitlab.findJob({ jobId: '7' });
    await expect(gitlab.openArtifact(job)).rejects.toMatchObject({
      code: expect.stringMatching(/TIMEOUT|UNSUPPORTED/),
    });
  });

  test('as a registry, for a manifest and for a blob', async () => {
    const { host } = await slow(way);
    await using registry = new Registry(host, { retry: once, idleTimeout, plainHttp: new Set([host]) });
    const repository = registry.repository('app');
    await expect(repository.resolve('1')).rejects.toMatchObject(TOO_LATE);
    const reading = repository.open(describeBytes(Buffer.alloc(99_999, ' '))).then(buffer);
    await expect(reading).rejects.toMatchObject({ code: expect.stringMatching(/TIMEOUT|SIZE_MISMATCH/) });
  });

  test('as a daemon', async () => {
    const { host } = await slow(way);
    const connecting = connectDocker({ host: `tcp://${host}`, connectTimeout: idleTimeout, idleTimeout });
    await expect(connecting).rejects.toMatchObject({ code: expect.stringMatching(/TIMEOUT|UNSUPPORTED/) });
  });
});

test('a document that arrives too slowly as a whole is given up', async () => {
  const { url } = await startSlowServer((socket) => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 4000000\r\n\r\n');
    const timer = setInterval(() => socket.write(Buffer.alloc(16 * 1024)), 5);
    socket.once('close', () => clearInterval(timer));
  });
  const reply = await client(100).send(url);
  await expect(readWhole(reply, 'the document')).rejects.toThrow('has not sent a whole document');
});

test('a reader that takes its time is not the fault of the server', async () => {
  const whole = Buffer.alloc(3_000_000, 'x');
  const { url } = await startSlowServer((socket) => {
    socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${whole.length}\r\n\r\n`);
    socket.write(whole);
  });
  const reply = await client(60).send(url);
  let read = 0;
  for await (const chunk of reply.body as AsyncIterable<Uint8Array>) {
    if (read === 0) await sleep(300);
    read += chunk.length;
  }
  expect(read).toBe(whole.length);
});

test('requests that wait for their turn are not late', async () => {
  let answered = 0;
  const { url } = await startSlowServer((socket) => {
    const answer = (): void =>
      void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]', () => (answered += 1));
    setTimeout(answer, 100);
    socket.on('data', () => setTimeout(answer, 100));
  });
  const http = client(400);
  const all = Array.from({ length: 48 }, async () => readWhole(await http.send(url), 'x'));
  expect((await Promise.all(all)).map(String)).toEqual(all.map(() => '[]'));
  expect(answered).toBe(48);
});
