/** Debian's docker-registry 2.8 for tests, on a port of the loopback. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { sign } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Authority } from '../../support/certificates.ts';
import { makeTempFolder, removeTempFolder } from './temp-folders.ts';

export const REGISTRY_USER = 'tester';
export const REGISTRY_PASSWORD = 'planted-registry-password';
/** What `htpasswd -B` makes of that password. */
const HTPASSWD = 'tester:$2y$05$abcdefghijklmnopqrstuu7.Rffb/e3GvgNr9ynXYVmPMI0ht.mgC';
const ISSUER = 'test-issuer';
const SERVICE = 'test-registry';
const START_TIMEOUT_MS = 20_000;

/** Who may use it. `token`: with tokens of a server in this process. */
export type RegistryAuth = 'anonymous' | 'htpasswd' | 'token';

/** A registry that runs. */
export interface TestRegistry {
  /** `127.0.0.1:<port>` */
  readonly host: string;
  /** The folder of all that it stores; it keeps nothing in memory. */
  readonly storage: string;
  /** Its process. */
  readonly pid: number;
  /** What it was asked, from its log: `PUT /v2/app/manifests/1`. */
  requests(): string[];
  /** Ends it and removes all that it stored. */
  stop(): Promise<void>;
}

/** Why it cannot run here; undefined where it can. */
export function registrySkipReason(): string | undefined {
  const { error } = spawnSync('docker-registry', ['--version']);
  return error === undefined ? undefined : 'docker-registry is not installed';
}

/** Starts an empty registry. Manifests can be deleted. */
export async function startRegistry(auth: RegistryAuth = 'anonymous'): Promise<TestRegistry> {
  const folder = await makeTempFolder();
  const tokens = auth === 'token' ? await startTokenServer(folder) : undefined;
  const port = await freePort();
  await mkdir(join(folder, 'storage'));
  await writeFile(join(folder, 'htpasswd'), `${HTPASSWD}\n`);
  const config = join(folder, 'config.json');
  const host = `127.0.0.1:${port}`;
  const ways = {
    anonymous: {},
    htpasswd: { auth: { htpasswd: { realm: 'test', path: join(folder, 'htpasswd') } } },
    token: { auth: { token: tokens?.config } },
  };
  const storage = { filesystem: { rootdirectory: join(folder, 'storage') }, delete: { enabled: true } };
  const log = { level: 'info', formatter: 'json' };
  await writeFile(
    config,
    JSON.stringify({ version: '0.1', log, storage, http: { addr: host }, ...ways[auth] }),
  );
  const logFile = join(folder, 'log');
  const child = await serve(config, logFile, port);
  return {
    host,
    storage: join(folder, 'storage'),
    pid: child.pid ?? 0,
    requests: () => requestsIn(readFileSync(logFile, 'utf8')),
    stop: async () => {
      await end(child);
      await tokens?.stop();
      await removeTempFolder(folder);
    },
  };
}

async function serve(config: string, logFile: string, port: number): Promise<ChildProcess> {
  const log = openSync(logFile, 'a');
  const args = ['--pdeathsig', 'KILL', 'docker-registry', 'serve', config];
  const child = spawn('setpriv', args, { cwd: '/', env: {}, stdio: ['ignore', log, log] });
  closeSync(log);
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!listens(port)) {
    if (child.exitCode !== null || Date.now() > deadline) {
      throw new Error(`the registry does not come up: ${readFileSync(logFile, 'utf8').slice(-1000)}`);
    }
    await sleep(50);
  }
  return child;
}

function listens(port: number): boolean {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  return new RegExp(`:${hex} \\S+ 0A `).test(readFileSync('/proc/net/tcp', 'utf8'));
}

function requestsIn(log: string): string[] {
  return [...log.matchAll(/"(GET|HEAD|POST|PUT|PATCH|DELETE) (\/v2\/[^ "?]*)[^"]* HTTP/g)].map(
    ([, method = '', path = '']) => `${method} ${path}`,
  );
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A token server: whoever knows the password may do what is asked for (distribution, spec/auth/jwt). */
async function startTokenServer(
  folder: string,
): Promise<{ config: Record<string, unknown>; stop: () => Promise<void> }> {
  const authority = new Authority();
  const { cert, key } = authority.issue({ names: ['token.test'] });
  const bundle = join(folder, 'token-ca.pem');
  await writeFile(bundle, authority.cert);
  const x5c = [cert.replaceAll(/-----[A-Z ]+-----|\s/g, '')];
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const basic = Buffer.from(`${REGISTRY_USER}:${REGISTRY_PASSWORD}`).toString('base64');
    if (request.headers.authorization !== `Basic ${basic}`) return void response.writeHead(401).end();
    const scopes = new URL(request.url ?? '', 'http://token').searchParams.getAll('scope');
    response.end(JSON.stringify({ token: jwt(scopes, x5c, key), expires_in: 60 }));
  };
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    config: {
      realm: `http://127.0.0.1:${port}/token`,
      service: SERVICE,
      issuer: ISSUER,
      rootcertbundle: bundle,
    },
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function jwt(scopes: readonly string[], x5c: string[], key: string): string {
  const now = Math.floor(Date.now() / 1000);
  const access = scopes.map((scope) => {
    const [, type, name, actions = ''] = /^(\w+):(.*):([\w,*]+)$/.exec(scope) ?? [];
    return { type, name, actions: actions.split(',') };
  });
  const claims = {
    iss: ISSUER,
    aud: SERVICE,
    sub: REGISTRY_USER,
    exp: now + 60,
    nbf: now - 60,
    iat: now,
    access,
  };
  const signed = `${encode({ typ: 'JWT', alg: 'ES256', x5c })}.${encode(claims)}`;
  const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' });
  return `${signed}.${signature.toString('base64url')}`;
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
