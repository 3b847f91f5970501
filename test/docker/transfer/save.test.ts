import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { connectDocker } from '../../../src/docker/daemon.ts';
import { isFillable } from '../../../src/stream/fillable.ts';
import { FakeDaemon } from '../../support/fake-daemon.ts';

const hang = (): Promise<void> => new Promise(() => {});

const ID = `sha256:${'a1'.repeat(32)}`;

async function start() {
  const fake = await FakeDaemon.start({ images: [{ id: ID, names: ['temp:latest'], diffIds: [] }] });
  return { fake, daemon: await connectDocker({ host: fake.host, probeInterval: 30 }) };
}

describe('saving', () => {
  test.each([
    ['temp', 'temp:latest'],
    ['docker.io/library/temp:latest', 'temp:latest'],
    [ID, ID],
    ['a1a1a1a1a1a1', ID],
  ])('%s asks for %s alone', async (image, names) => {
    const { fake, daemon } = await start();
    expect(await text(await daemon.save(image))).toBe('tar');
    expect(fake.lines.at(-1)).toBe(`GET /images/get?names=${encodeURIComponent(names)}`);
  });

  test('an image given by its digest in a repository is asked for by ID', async () => {
    const { fake, daemon } = await start();
    fake.images[0]?.names.push(`temp@${ID}`);
    await text(await daemon.save(`temp@${ID}`));
    expect(fake.lines.at(-1)).toBe(`GET /images/get?names=${encodeURIComponent(ID)}`);
  });

  test('a refusal is told with its message', async () => {
    const { fake, daemon } = await start();
    fake.handlers.set('GET /images/get', (_request, response) => {
      response.writeHead(500).end('{"message":"no space left on device"}');
    });
    await expect(daemon.save('temp')).rejects.toMatchObject({
      code: 'DAEMON',
      message: expect.stringContaining('no space left'),
    });
  });

  test('a connection that dies midway fails the stream, not only ends it', async () => {
    const { fake, daemon } = await start();
    fake.handlers.set('GET /images/get', (_request, response) => {
      response.write('half');
      setTimeout(() => response.destroy(), 10);
    });
    await expect(text(await daemon.save('temp'))).rejects.toMatchObject({ code: 'UNREACHABLE' });
  });

  test('a daemon that packs for long is waited for while it shows signs of life', async () => {
    const { fake, daemon } = await start();
    fake.handlers.set('GET /images/get', async (_request, response) => {
      await sleep(200);
      response.end('late');
    });
    expect(await text(await daemon.save('temp'))).toBe('late');
    expect(fake.seen.filter(({ line }) => line.endsWith('/_ping')).length).toBeGreaterThanOrEqual(3);
  });

  test('signs of life are asked for no more after the end', async () => {
    const { fake, daemon } = await start();
    await text(await daemon.save('temp'));
    await sleep(5);
    const before = fake.seen.length;
    await sleep(100);
    expect(fake.seen).toHaveLength(before);
  });

  test('nor when the end comes while one is awaited', async () => {
    const { fake, daemon } = await start();
    const probes = (): number => fake.seen.filter(({ line }) => line.endsWith('/_ping')).length;
    const before = probes();
    fake.handlers.set('GET /_ping', hang).set('GET /images/get', async (_request, response) => {
      await expect.poll(probes, { interval: 1 }).toBe(before + 1);
      response.end('late');
    });
    await text(await daemon.save('temp'));
    await sleep(150);
    expect(probes()).toBe(before + 1);
  });

  test.each(['before the first byte', 'midway'])('a daemon that hangs %s is given up', async (when) => {
    const { fake, daemon } = await start();
    fake.handlers.set('GET /_ping', hang).set('GET /images/get', async (_request, response) => {
      if (when === 'midway') response.write('half');
      await hang();
    });
    const saved = (async () => text(await daemon.save('temp')))();
    await expect(saved).rejects.toMatchObject({
      code: 'UNREACHABLE',
      message: expect.stringContaining('has not answered for'),
    });
  });

  test.each(['before the first byte', 'midway'])(
    'aborting %s rejects with the reason, and ends the connection',
    async (when) => {
      const { fake, daemon } = await start();
      fake.handlers.set('GET /images/get', async (_request, response) => {
        if (when === 'midway') response.write('half');
        await new Promise(() => {});
      });
      const controller = new AbortController();
      const reason = new Error('enough');
      const saved = (async () => text(await daemon.save('temp', { signal: controller.signal })))();
      const outcome = saved.catch((error: unknown) => error);
      await sleep(50);
      controller.abort(reason);
      const before = performance.now();
      expect(await outcome).toBe(reason);
      expect(performance.now() - before).toBeLessThan(100);
      await expect.poll(() => fake.cut('GET /images/get')).toBe(1);
    },
  );

  test('what arrives fills the memory of its reader, on a connection of its own', async () => {
    const { fake, daemon } = await start();
    const content = Buffer.alloc(3_000_000, 'content');
    fake.handlers.set('GET /images/get', (request, response) => {
      expect(request.headers).toMatchObject({ connection: 'close', host: 'docker' });
      response.end(content);
    });
    const stream = await daemon.save('temp');
    if (!isFillable(stream)) throw new Error('it does not');
    const memory = Buffer.alloc(content.length + 1);
    let size = 0;
    for (let count = -1; count !== 0; size += count) count = await stream.readInto(memory.subarray(size));
    expect(memory.subarray(0, size).equals(content)).toBe(true);
  });

  test('whoever answers with something else is no docker', async () => {
    const { fake, daemon } = await start();
    fake.handlers.set(
      'GET /images/get',
      (request) => void request.socket.end('220 mail.example ESMTP\r\n\r\n'),
    );
    await expect(daemon.save('temp')).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  });

  test.each(['before the reply', 'midway'])('closing the daemon %s ends the stream', async (when) => {
    const { fake, daemon } = await start();
    let asked = false;
    fake.handlers.set('GET /images/get', (_request, response) => {
      asked = true;
      if (when === 'midway') response.write('half');
    });
    const saved = (async () => text(await daemon.save('temp')))().catch((error: unknown) => error);
    await expect.poll(() => asked).toBe(true);
    if (when === 'midway') await sleep(20);
    await daemon.close();
    expect(await saved).toMatchObject({ code: 'UNREACHABLE', message: expect.stringContaining('was ended') });
  });

  test('a stream that is given up ends the connection', async () => {
    const { fake, daemon } = await start();
    fake.handlers.set('GET /images/get', (_request, response) => void response.write('half'));
    const stream = await daemon.save('temp');
    stream.destroy();
    await expect.poll(() => fake.cut('GET /images/get')).toBe(1);
  });
});
