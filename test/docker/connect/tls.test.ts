import { mkdir, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createServer } from 'node:tls';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { connectDocker } from '../../../src/docker/daemon.ts';
import { readTls } from '../../../src/docker/connect/tls.ts';
import type { Identity } from '../../support/certificates.ts';
import { Authority } from '../../support/certificates.ts';
import { FakeDaemon } from '../../support/fake-daemon.ts';
import { freePort, openFront } from '../../support/front.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const YESTERDAY = new Date(Date.now() - 86_400_000);

let authority: Authority;
let socketPath: string;
let certPath: string;
beforeEach(async () => {
  authority = new Authority();
  const fake = await FakeDaemon.start();
  socketPath = fake.host.slice('unix://'.length);
  certPath = await temporaryFolder();
});

/** Puts certificates into the folder, named as docker names them. */
async function put(files: { ca?: string; cert?: string; key?: string }): Promise<void> {
  await Promise.all(
    Object.entries(files).map(([name, pem]) => writeFile(join(certPath, `${name}.pem`), pem)),
  );
}

/** The daemon behind TLS: the address, and its authority's certificate in the folder, with a client's. */
async function daemon(server: Partial<Identity> = {}, client: Partial<Identity> = {}): Promise<string> {
  const { cert, key } = { ...authority.issue({ names: ['127.0.0.1', 'localhost'] }), ...server };
  const port = await openFront(socketPath, {
    tls: { cert, key, ca: authority.cert, requestCert: true, rejectUnauthorized: true },
  });
  await put({ ca: authority.cert, ...authority.issue(), ...client });
  return `tcp://127.0.0.1:${port}`;
}

/** Collects what is told. */
function telling() {
  const told: unknown[] = [];
  return { told, onProgress: (event: unknown) => void told.push(event) };
}

describe('a daemon with TLS', () => {
  test('is reached with a certificate of its authority', async () => {
    const host = await daemon();
    await using reached = await connectDocker({ host, tls: { certPath } });
    expect(reached).toMatchObject({ host, serverVersion: '28.5.2' });
    expect(await reached.list()).toEqual([]);
  });

  test('is refused for a name that its certificate does not hold, and those that it holds are listed', async () => {
    const host = await daemon(authority.issue({ names: ['docker', 'localhost', '10.0.0.1'] }));
    await expect(connectDocker({ host, tls: { certPath } })).rejects.toMatchObject({
      code: 'UNSAFE',
      message: `the certificate of docker at ${host} is for docker, localhost, 10.0.0.1, not for this one`,
      facts: { candidates: ['docker', 'localhost', '10.0.0.1'], url: host },
      hint: expect.stringContaining('DOCKER_TLS_SAN'),
    });
  });

  test('is refused with a certificate of another authority', async () => {
    const host = await daemon();
    await put({ ca: new Authority('Another authority').cert });
    await expect(connectDocker({ host, tls: { certPath } })).rejects.toMatchObject({
      code: 'UNSAFE',
      message: `the certificate of docker at ${host} is not from the authority in ${certPath}/ca.pem`,
    });
  });

  test('is refused with a certificate of no authority that the runtime knows, where no other is given', async () => {
    const host = await daemon();
    await expect(connectDocker({ host, tls: {} })).rejects.toMatchObject({
      code: 'UNSAFE',
      message: `the certificate of docker at ${host} is not from an authority known here`,
    });
  });

  test('is refused with a certificate that has expired', async () => {
    const times = { notBefore: new Date(YESTERDAY.getTime() - 1000), notAfter: YESTERDAY };
    const host = await daemon(authority.issue({ names: ['127.0.0.1'], ...times }));
    await expect(connectDocker({ host, tls: { certPath } })).rejects.toMatchObject({
      code: 'UNSAFE',
      message: expect.stringMatching(/has expired$/),
    });
  });

  test('is reached without verification only where that is asked for', async () => {
    const host = await daemon(new Authority('Another authority').issue({ names: ['elsewhere'] }));
    await expect(connectDocker({ host, tls: { certPath } })).rejects.toMatchObject({ code: 'UNSAFE' });
    await using reached = await connectDocker({ host, tls: { certPath, verify: false } });
    expect(await reached.list()).toEqual([]);
  });

  test('that gets no certificate says so, and the files that it wants are named', async () => {
    const host = await daemon();
    const other = await temporaryFolder();
    await writeFile(join(other, 'ca.pem'), authority.cert);
    await expect(connectDocker({ host, tls: { certPath: other } })).rejects.toMatchObject({
      code: 'USAGE',
      message: `docker at ${host} refuses clients without a certificate`,
      hint: expect.stringMatching(new RegExp(`cert\\.pem and key\\.pem.* not in ${other}`)),
    });
  });

  test('that hangs up on all clients without a word is not said to refuse a certificate', async () => {
    const { cert, key } = authority.issue({ names: ['127.0.0.1'] });
    const server = createServer({ cert, key }, (socket) => socket.destroy());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    await put({ ca: authority.cert });
    const host = `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await expect(connectDocker({ host, tls: { certPath } })).rejects.toMatchObject({
      code: 'UNREACHABLE',
      message: `docker at ${host} closed the connection midway`,
    });
  });

  test('that gets a certificate of another authority is told with the file that it may not take', async () => {
    const host = await daemon({}, new Authority('Another authority').issue());
    await expect(connectDocker({ host, tls: { certPath } })).rejects.toMatchObject({
      hint: expect.stringContaining(`cert.pem in ${certPath}`),
    });
  });

  test('that speaks none is told from one that does', async () => {
    await put({ ca: authority.cert, ...authority.issue() });
    const host = `tcp://127.0.0.1:${await openFront(socketPath)}`;
    await expect(connectDocker({ host, tls: { certPath } })).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      message: `the server at ${host} does not speak TLS`,
    });
  });
});

describe('the certificates of this side', () => {
  test('are named where they are missing', async () => {
    await expect(readTls({ certPath: join(certPath, 'none') })).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: `certificates for docker are missing: ca.pem, cert.pem, key.pem are not in ${certPath}/none`,
      hint: expect.stringContaining('DOCKER_CERT_PATH'),
    });
    const { cert, key } = authority.issue();
    await put({ ca: authority.cert, cert });
    await expect(readTls({ certPath })).rejects.toThrow(`key.pem is not in ${certPath}`);
    await put({ cert: '', key });
    await expect(readTls({ certPath })).rejects.toThrow(`cert.pem is not in ${certPath}`);
  });

  test.each([
    ['key.pem is not the key of cert.pem', () => ({ key: authority.issue().key })],
    ['ca.pem is not a certificate in PEM', () => ({ ca: 'none' })],
    ['cert.pem and key.pem are not a certificate and an unencrypted key in PEM', () => ({ cert: 'none' })],
  ])('are refused where %s', async (reason, damage) => {
    await put({ ca: authority.cert, ...authority.issue(), ...damage() });
    await expect(readTls({ certPath })).rejects.toMatchObject({
      code: 'MALFORMED',
      message: `the certificates in ${certPath} cannot be used: ${reason}`,
    });
  });
});

describe('what comes late', () => {
  test('is waited for: first certificates, which are written one by one, then the daemon', async () => {
    const port = await freePort();
    const { cert, key } = authority.issue({ names: ['127.0.0.1'] });
    const client = authority.issue();
    certPath = join(certPath, 'client');
    const { told, onProgress } = telling();
    const host = `tcp://127.0.0.1:${port}`;
    const reaching = connectDocker({ host, tls: { certPath }, wait: 15_000, onProgress });
    await delay(300);
    await mkdir(certPath);
    await put({ ca: authority.cert, key: client.key });
    await delay(300);
    await put({ cert: client.cert.slice(0, 100) });
    await delay(300);
    await put({ cert: client.cert });
    await delay(300);
    await openFront(socketPath, { port, tls: { cert, key, ca: authority.cert, requestCert: true } });
    await using reached = await reaching;
    expect(await reached.list()).toEqual([]);
    expect(told).toEqual([
      { kind: 'waiting', what: 'certificates', where: certPath, seconds: 15 },
      { kind: 'waiting', what: 'daemon', where: host, seconds: 15 },
    ]);
  });

  test('and never comes, is given up with how long it was waited for', async () => {
    const host = `tcp://127.0.0.1:${await freePort()}`;
    await expect(connectDocker({ host, wait: 400 })).rejects.toMatchObject({
      code: 'UNREACHABLE',
      message: `cannot reach docker at ${host}: nothing listens there, after 0.4 s`,
      hint: expect.stringContaining('docker:dind'),
    });
    await expect(connectDocker({ host, tls: { certPath }, wait: 400 })).rejects.toMatchObject({
      code: 'TIMEOUT',
      message: expect.stringMatching(/ca\.pem, cert\.pem, key\.pem are not in .*, after 0\.4 s$/),
      hint: expect.stringContaining('/certs/client'),
    });
  });

  test('as only a part of the certificates does, is gone without in the end', async () => {
    const { cert, key } = authority.issue({ names: ['127.0.0.1'] });
    const host = `tcp://127.0.0.1:${await openFront(socketPath, { tls: { cert, key } })}`;
    await put({ ca: authority.cert });
    await using reached = await connectDocker({ host, tls: { certPath }, wait: 300 });
    expect(await reached.list()).toEqual([]);
  });

  test('is gone without soon, where the certificate of the authority is there alone', async () => {
    const { cert, key } = authority.issue({ names: ['127.0.0.1'] });
    const host = `tcp://127.0.0.1:${await openFront(socketPath, { tls: { cert, key } })}`;
    await put({ ca: authority.cert });
    const { told, onProgress } = telling();
    await using reached = await connectDocker({ host, tls: { certPath }, wait: 600_000, onProgress });
    expect(await reached.list()).toEqual([]);
    expect(told).toEqual([{ kind: 'waiting', what: 'certificates', where: certPath, seconds: 600 }]);
  });

  test('is not waited for where nobody said so, nor where waiting mends nothing', async () => {
    const { told, onProgress } = telling();
    const none = `tcp://127.0.0.1:${await freePort()}`;
    await expect(connectDocker({ host: none, onProgress })).rejects.toMatchObject({ code: 'UNREACHABLE' });
    const host = await daemon(authority.issue({ names: ['docker'] }));
    const wrong = connectDocker({ host, tls: { certPath }, wait: 60_000, onProgress });
    await expect(wrong).rejects.toMatchObject({ code: 'UNSAFE' });
    const stranger = await daemon({}, new Authority('Another authority').issue());
    const refused = connectDocker({ host: stranger, tls: { certPath }, wait: 60_000, onProgress });
    await expect(refused).rejects.toMatchObject({ hint: expect.stringContaining('cert.pem') });
    expect(told).toEqual([]);
  });

  test('is waited for until the wait is aborted', async () => {
    const reason = new Error('enough');
    const host = `tcp://127.0.0.1:${await freePort()}`;
    for (const tls of [undefined, { certPath }]) {
      const controller = new AbortController();
      const onProgress = (): void => controller.abort(reason);
      const { signal } = controller;
      await expect(connectDocker({ host, tls, wait: 60_000, signal, onProgress })).rejects.toBe(reason);
    }
  });
});
