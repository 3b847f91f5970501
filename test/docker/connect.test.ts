import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { connectDocker } from '../../src/docker/daemon.ts';
import { socketError } from '../../src/docker/connect/socket-error.ts';
import { FakeDaemon } from '../support/fake-daemon.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

describe('connecting', () => {
  test.each(['graph', 'containerd', 'podman'] as const)('tells a %s daemon', async (kind) => {
    const fake = await FakeDaemon.start({ kind });
    await using daemon = await connectDocker({ host: fake.host });
    expect(daemon).toMatchObject({ kind, host: fake.host, serverVersion: '28.5.2' });
    expect(await daemon.platform()).toEqual({ os: 'linux', architecture: 'amd64' });
  });

  test.each([
    ['1.41', '1.41'],
    ['1.51', '1.51'],
    ['1.60', '1.51'],
  ])('to a daemon of API %s speaks %s', async (apiVersion, spoken) => {
    const fake = await FakeDaemon.start({ apiVersion });
    await using daemon = await connectDocker({ host: fake.host });
    await daemon.list();
    expect(daemon.apiVersion).toBe(spoken);
    expect(fake.seen.map(({ line }) => line)).toEqual([
      'GET /_ping',
      `GET /v${spoken}/version`,
      `GET /v${spoken}/info`,
      `GET /v${spoken}/images/json`,
    ]);
  });

  test('a daemon that is too old is refused', async () => {
    const fake = await FakeDaemon.start({ apiVersion: '1.24' });
    await expect(connectDocker({ host: fake.host })).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      facts: { actual: '1.24' },
    });
  });

  test('a missing socket is named', async () => {
    const host = `unix://${await temporaryFolder()}/none`;
    await expect(connectDocker({ host })).rejects.toMatchObject({
      code: 'UNREACHABLE',
      message: `cannot reach docker at ${host}: there is no such socket`,
      hint: expect.stringContaining('DOCKER_HOST'),
      facts: { reason: 'DAEMON_ADDRESS' },
    });
  });

  test('a socket that nothing listens on is named', async () => {
    const path = join(await temporaryFolder(), 'plain');
    await writeFile(path, '');
    await expect(connectDocker({ host: `unix://${path}` })).rejects.toMatchObject({
      code: 'UNREACHABLE',
      message: expect.stringContaining('nothing listens there'),
    });
  });

  test('missing permission is told with the group that has it', async () => {
    const error = socketError(
      { name: 'unix:///s', origin: '' },
      Object.assign(new Error('x'), { code: 'EACCES' }),
    );
    expect(error).toMatchObject({ code: 'UNREACHABLE', hint: expect.stringContaining('group docker') });
  });

  test('a daemon that says nothing is given up', async () => {
    const fake = await FakeDaemon.start();
    fake.handlers.set('GET /_ping', () => new Promise(() => {}));
    await expect(connectDocker({ host: fake.host, connectTimeout: 50 })).rejects.toMatchObject({
      code: 'TIMEOUT',
    });
  });

  test('what is no docker is refused', async () => {
    const fake = await FakeDaemon.start();
    fake.handlers.set('GET /_ping', (_request, response) => {
      response.removeHeader('Api-Version');
      response.end('hello');
    });
    await expect(connectDocker({ host: fake.host })).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  });

  test('a port that speaks TLS is recognised', async () => {
    const fake = await FakeDaemon.start();
    fake.handlers.set('GET /_ping', (_request, response) => {
      response.removeHeader('Api-Version');
      response.writeHead(400).end('Client sent an HTTP request to an HTTPS server.\n');
    });
    await expect(connectDocker({ host: fake.host })).rejects.toMatchObject({
      hint: expect.stringContaining('TLS'),
    });
  });

  test('what does not speak HTTP is refused', async () => {
    const path = join(await temporaryFolder(), 's');
    const server = createServer((socket) => socket.end('220 mail.example.com ESMTP\r\n')).listen(path);
    onTestFinished(() => void server.close());
    await expect(connectDocker({ host: `unix://${path}` })).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  });

  test('aborting ends the attempt with the reason', async () => {
    const fake = await FakeDaemon.start();
    fake.handlers.set('GET /_ping', () => new Promise(() => {}));
    const reason = new Error('enough');
    const controller = new AbortController();
    setTimeout(() => controller.abort(reason), 20);
    await expect(connectDocker({ host: fake.host, signal: controller.signal })).rejects.toBe(reason);
    await expect(connectDocker({ host: fake.host, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  test('after it was closed, a daemon is out of reach', async () => {
    const fake = await FakeDaemon.start();
    const daemon = await connectDocker({ host: fake.host });
    await daemon.close();
    await expect(daemon.list()).rejects.toMatchObject({ code: 'UNREACHABLE' });
    await daemon.close();
  });
});
