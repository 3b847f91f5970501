import { join } from 'node:path';
import type { ContextEndpoint } from './context.ts';
import { currentContext, readContext, stored } from './context.ts';
import { completeHost, DEFAULT_HOST, DEFAULT_TLS_HOST } from './host.ts';
import type { DockerTls } from './tls.ts';
import { lookAt } from '../../disk/look-at.ts';
import { isThere } from './files.ts';

/** Where a daemon is, and how to reach it. */
export interface DaemonAddress {
  /** `unix:///path`, `tcp://host:port` or `ssh://user@host`. Default `unix:///var/run/docker.sock`. */
  host?: string | undefined;
  /** TLS, for a tcp address. Default: no TLS. */
  tls?: DockerTls | undefined;
  /** How long to wait for certificates and daemon if they are not there at once, in ms. Default 0. */
  wait?: number | undefined;
}

/** Options of {@link resolveDockerHost}. */
export interface ResolveDockerHostOptions {
  /** An address that overrides the environment. */
  host?: string | undefined;
  /** The socket that is used if it exists and nothing else is set. Default `/var/run/docker.sock`. */
  defaultSocket?: string | undefined;
}

/**
 * What decides about an address. Of the variables, `DOCKER_TLS_CERTDIR` stands for GitLab's docker:dind service, and
 * `DOCKER_TLS_VERIFY` or `DOCKER_TLS` for TLS on this machine.
 */
export type AddressReason =
  | { by: 'host' | 'default' }
  | { by: 'variable'; name: 'DOCKER_HOST' | 'DOCKER_TLS_CERTDIR' | 'DOCKER_TLS_VERIFY' | 'DOCKER_TLS' }
  | { by: 'context'; name: string; chosenIn: 'DOCKER_CONTEXT' | 'config.json' };

/** A daemon's address, and what decided about it. */
export interface FoundDockerHost {
  address: DaemonAddress;
  because: AddressReason;
}

/** Environment variables. */
type Env = Readonly<Record<string, string | undefined>>;

/** GitLab's dind: the name of the service, and the folder where its image puts the clients' certificates. */
const DIND = 'tcp://docker';
const DIND_CERTIFICATES = '/certs/client';
/** How long a job's service may take to start, in ms. */
const DIND_WAIT = 30_000;
const TLS_PORT = 2376;

/**
 * Finds the daemon that an environment names, as docker's own client does: `host`, DOCKER_HOST, DOCKER_CONTEXT, the
 * current context of docker's configuration (in DOCKER_CONFIG, by default `$HOME/.docker`), the local socket. Tcp
 * addresses use TLS by DOCKER_TLS_VERIFY and DOCKER_CERT_PATH, without verification by DOCKER_TLS.
 *
 * It also supports jobs with docker:dind as their service. If there is no local socket, DOCKER_TLS_CERTDIR means that
 * service, with TLS unless the variable is empty. An address on port 2376 uses TLS if there are certificates. In CI
 * (CI=true), tcp addresses are waited for.
 * @param env for example `process.env`
 * @throws {@link DrayageError} `NOT_FOUND` for an unknown context; `UNSUPPORTED`, `MALFORMED`, `IO` for an unusable one
 */
export async function resolveDockerHost(
  env: Readonly<Record<string, string | undefined>>,
  options: ResolveDockerHostOptions = {},
): Promise<DaemonAddress> {
  return (await findDockerHost(env, options)).address;
}

/**
 * Finds the daemon as {@link resolveDockerHost} does, and says what decided.
 * @throws {@link DrayageError} as {@link resolveDockerHost} does
 */
export async function findDockerHost(
  env: Readonly<Record<string, string | undefined>>,
  options: ResolveDockerHostOptions = {},
): Promise<FoundDockerHost> {
  const isTls = tlsVariable(env) !== undefined;
  if (options.host !== undefined)
    return { address: await withTls(completeHost(options.host, isTls), env), because: { by: 'host' } };
  // An empty variable counts as unset, as in docker.
  const said = env['DOCKER_HOST'] || undefined;
  if (said !== undefined)
    return {
      address: await withTls(completeHost(said, isTls), env),
      because: { by: 'variable', name: 'DOCKER_HOST' },
    };
  const chosen = await contextOf(env);
  if (chosen !== undefined && chosen.endpoint.host !== '') {
    const { host, tls } = chosen.endpoint;
    return { address: { host, tls, wait: waitFor(host, env) }, because: chosen.because };
  }
  const { host, because } = await defaultHost(
    env,
    options.defaultSocket ?? DEFAULT_HOST.slice('unix://'.length),
  );
  return {
    address: await withTls(host, env),
    because: because.by === 'default' ? (chosen?.because ?? because) : because,
  };
}

/** The endpoint of the chosen context; undefined if no context is chosen. */
async function contextOf(
  env: Env,
): Promise<{ endpoint: ContextEndpoint; because: AddressReason } | undefined> {
  const folder = configFolder(env);
  const said = env['DOCKER_CONTEXT'] || undefined;
  const name = said === undefined ? folder && (await currentContext(folder)) : stored(said);
  if (name === undefined) return undefined;
  const chosenIn = said === undefined ? 'config.json' : 'DOCKER_CONTEXT';
  return {
    endpoint: await readContext(folder ?? '', name),
    because: { by: 'context', name, chosenIn },
  };
}

async function defaultHost(env: Env, socket: string): Promise<{ host: string; because: AddressReason }> {
  if (env['DOCKER_TLS_CERTDIR'] === undefined) {
    const name = tlsVariable(env);
    return name === undefined
      ? { host: `unix://${socket}`, because: { by: 'default' } }
      : { host: DEFAULT_TLS_HOST, because: { by: 'variable', name } };
  }
  if (await isSocket(socket)) return { host: `unix://${socket}`, because: { by: 'default' } };
  const isTls = env['DOCKER_TLS_CERTDIR'] !== '' || tlsVariable(env) !== undefined;
  return {
    host: `${DIND}:${isTls ? TLS_PORT : 2375}`,
    because: { by: 'variable', name: 'DOCKER_TLS_CERTDIR' },
  };
}

async function withTls(host: string, env: Env): Promise<DaemonAddress> {
  if (!host.startsWith('tcp:')) return { host };
  return { host, tls: await tlsOf(host, env), wait: waitFor(host, env) };
}

async function tlsOf(host: string, env: Env): Promise<DockerTls | undefined> {
  const verify = Boolean(env['DOCKER_TLS_VERIFY']) || !env['DOCKER_TLS'];
  const isSaid = tlsVariable(env) !== undefined;
  if (!isSaid && !new RegExp(`:${TLS_PORT}(?:/|$)`).test(host)) return undefined;
  const found = await certificateFolder(env);
  if (found !== undefined) return { certPath: found, verify };
  if (isSaid) return { certPath: configFolder(env), verify };
  // The service makes them while it starts: in CI they are waited for.
  const isLate = env['CI'] === 'true' && env['DOCKER_TLS_CERTDIR'] === undefined;
  return isLate ? { certPath: DIND_CERTIFICATES } : undefined;
}

/** The folder that was named, else the first with an authority in it, else the one that the service fills. */
async function certificateFolder(env: Env): Promise<string | undefined> {
  if (env['DOCKER_CERT_PATH']) return env['DOCKER_CERT_PATH'];
  const service = env['DOCKER_TLS_CERTDIR'] ? join(env['DOCKER_TLS_CERTDIR'], 'client') : undefined;
  for (const folder of [service, configFolder(env), DIND_CERTIFICATES]) {
    if (folder !== undefined && (await isThere(join(folder, 'ca.pem')))) return folder;
  }
  return service;
}

/** The variable that asks for TLS. */
function tlsVariable(env: Env): 'DOCKER_TLS_VERIFY' | 'DOCKER_TLS' | undefined {
  if (env['DOCKER_TLS_VERIFY']) return 'DOCKER_TLS_VERIFY';
  return env['DOCKER_TLS'] ? 'DOCKER_TLS' : undefined;
}

function waitFor(host: string, env: Env): number {
  const isService = env['CI'] === 'true' || env['DOCKER_TLS_CERTDIR'] !== undefined;
  return host.startsWith('tcp:') && isService ? DIND_WAIT : 0;
}

function configFolder(env: Env): string | undefined {
  return env['DOCKER_CONFIG'] || (env['HOME'] ? join(env['HOME'], '.docker') : undefined);
}

async function isSocket(path: string): Promise<boolean> {
  return (await lookAt(path))?.isSocket() === true;
}
