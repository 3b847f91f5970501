import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { connectDocker } from '../../../src/docker/daemon.ts';
import type { DockerDaemon } from '../../../src/docker/daemon.ts';
import { FakeDaemon } from '../../support/fake-daemon.ts';
import type { Handler } from '../../support/fake-daemon.ts';
import { makeCargo } from '../cargo.ts';

const ANCHOR = 'temp:pipeline-1-abc';
const TOO_LATE = { code: 'TIMEOUT', facts: { reason: 'IDLE' } };
/** 15 times as long for packing and unpacking: 300 ms. */
const idleTimeout = 20;

async function start(idle: number = idleTimeout): Promise<{ fake: FakeDaemon; daemon: DockerDaemon }> {
  const fake = await FakeDaemon.start();
  const daemon = await connectDocker({ host: fake.host, idleTimeout: idle, connectTimeout: 1000 });
  onTestFinished(() => daemon.close());
  return { fake, daemon };
}

function drip(response: ServerResponse, text: string): void {
  const timer = setInterval(() => response.write(text), 10);
  response.once('close', () => clearInterval(timer));
}

/** Ways of a daemon that answers every ping and never ends a load. */
const LOADS: Readonly<Record<string, Handler>> = {
  'says nothing after the last byte': async (request) => void (await buffer(request)),
  'sends progress for ever': async (request, response) => {
    await buffer(request);
    drip(response, '{"stream":"Loading layer"}\r\n');
  },
  'sends half a line': async (request, response) => {
    await buffer(request);
    drip(response, ' ');
  },
  'takes nothing': (request) => void request.pause(),
  'takes a little now and then': async (request) => {
    for await (const _ of request.iterator({ destroyOnReturn: false })) await sleep(1000);
  },
  'refuses, and never says why': (_, response) => {
    response.writeHead(500);
    drip(response, ' ');
  },
};

describe.each(Object.keys(LOADS))('a daemon that, while it loads, %s', (way) => {
  test('is given up', async () => {
    const { fake, daemon } = await start();
    fake.handlers.set('POST /images/load', LOADS[way] ?? (() => {}));
    const cargo = makeCargo({ layers: [randomBytes(3_000_000)], compress: false });
    const loading = daemon.load(cargo.root, cargo.source, [ANCHOR], { full: true });
    await expect(loading).rejects.toMatchObject(TOO_LATE);
    expect(fake.images).toEqual([]);
  });
});

test('a daemon that unpacks for longer than it may be silent otherwise is waited for', async () => {
  const { fake, daemon } = await start();
  fake.handlers.set('POST /images/load', async (request, response) => {
    const files = await buffer(request);
    await sleep(5 * idleTimeout);
    expect(files.length).toBeGreaterThan(0);
    response.end('{"error":"no space left"}\r\n');
  });
  const cargo = makeCargo();
  const loading = daemon.load(cargo.root, cargo.source, [ANCHOR], { full: true });
  await expect(loading).rejects.toMatchObject({
    code: 'DAEMON',
    message: expect.stringContaining('no space left'),
  });
});

const IMAGE = { id: `sha256:${'1'.repeat(64)}`, names: ['temp:latest'], diffIds: [] };

describe.each([
  ['says nothing', () => {}],
  ['sends an archive byte by byte', (_, response) => drip(response, 'x')],
  ['refuses, and never says why', (_, response) => drip(response.writeHead(500), ' ')],
] satisfies [string, Handler][])('a daemon that, while it saves, %s', (_, handler) => {
  test('is given up', async () => {
    const { fake, daemon } = await start();
    fake.images.push(IMAGE);
    fake.handlers.set('GET /images/get', handler);
    const saving = daemon.save('temp').then(buffer);
    await expect(saving).rejects.toMatchObject(TOO_LATE);
  });
});

test.each<[route: string, ask: (daemon: DockerDaemon) => Promise<unknown>]>([
  ['GET /images/json', async (daemon) => daemon.list()],
  ['GET /images/temp:latest/json', async (daemon) => daemon.inspect('temp')],
  ['GET /containers/json', async (daemon) => daemon.uses()],
  ['POST /images/temp:latest/tag', async (daemon) => daemon.tag('temp', 'other')],
  ['DELETE /images/temp:latest', async (daemon) => daemon.remove('temp')],
])('a reply to %s that never ends is given up', async (route, ask) => {
  const { fake, daemon } = await start();
  fake.images.push({ ...IMAGE, names: [...IMAGE.names] });
  fake.handlers.set(route, (_, response) => drip(response, ' '));
  await expect(ask(daemon)).rejects.toMatchObject(TOO_LATE);
});

test('a daemon that floods its replies is given up', async () => {
  const { fake, daemon } = await start(60_000);
  const chunk = Buffer.alloc(1024 * 1024, `${' '.repeat(9999)}\n`);
  fake.handlers.set('POST /images/load', async (request, response) => {
    await buffer(request);
    const more = (): void => {
      while (!response.closed && response.write(chunk));
    };
    response.on('drain', more);
    more();
  });
  const cargo = makeCargo();
  const loading = daemon.load(cargo.root, cargo.source, [ANCHOR], { full: true });
  await expect(loading).rejects.toMatchObject({ code: 'LIMIT' });
});
