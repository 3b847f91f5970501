import { readdir, readFile } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import type { Credentials, DrayageError } from '../index.ts';
import {
  chainCredentials,
  cis,
  dockerConfigCredentials,
  dockerConfigHosts,
  isDrayageError,
  knownCredentials,
  Registries,
} from '../index.ts';
import type { Context } from './context.ts';
import { homeOf } from './home.ts';
import { openConnections, readOrNote } from './http.ts';
import { diskError, isNoFile } from '../system-error.ts';

/** The options of commands that speak to registries. */
export interface RegistryCommandOptions {
  ca?: string;
  /** Hosts, as references name them. */
  plainHttp?: string[];
  /** Hosts that may be asked for base images. */
  registries?: string[];
}

/** Docker's folder of authorities for single registries, each in a folder named like the registry. */
const CERTIFICATES = '/etc/docker/certs.d';

/**
 * Registries as this machine and this job know them: through the proxy, with the authorities of `--ca` and of docker's
 * `certs.d`, and with the credentials of DOCKER_AUTH_CONFIG, of docker's config.json and of the CI job, in this order.
 */
export async function openRegistries(
  { ca, plainHttp, registries: named = [] }: RegistryCommandOptions,
  context: Context,
): Promise<{ registries: Registries } & AsyncDisposable> {
  const credentials = await openCredentials(context);
  const hosts = new Set(plainHttp);
  const tokenServers = new Set([...named, ...cis.flatMap((ci) => ci.serverHost?.(context.env) ?? [])]);
  const ends: (() => PromiseLike<unknown>)[] = [];
  const registries = new Registries(async (host) => {
    const connections = await openConnections(ca, context, await authoritiesOf(host, context));
    ends.push(() => connections[Symbol.asyncDispose]());
    const { dispatcher } = connections;
    const onWarning = (message: string): void => context.onProgress({ kind: 'note', message });
    const { idleTimeout } = context;
    return { credentials, dispatcher, plainHttp: hosts, tokenServers, idleTimeout, onWarning };
  });
  const close = async (): Promise<void> => {
    await registries[Symbol.asyncDispose]();
    for (const end of ends) await end();
  };
  return { registries, [Symbol.asyncDispose]: close };
}

/** A place that has credentials for registries, or should have them. */
export interface CredentialSource {
  /** For people: the path of the file, the name of the variable. */
  name: string;
  /** The hosts that it names, as references name them. */
  hosts: readonly string[];
  /** Docker's common store, which may know further hosts. */
  store?: string | undefined;
  /** Why it cannot be read. Its `credentials` then fail in the same way. */
  unread?: DrayageError | undefined;
  credentials: Credentials;
}

/**
 * Every place that has credentials, the first that knows a registry wins: as for docker's client, the variable goes
 * before the file. Reads no secret yet. One that cannot be read blocks neither the others nor public registries.
 */
export async function credentialSources({ env }: Pick<Context, 'env'>): Promise<CredentialSource[]> {
  return [
    ...(await configVariable(env)),
    ...(await configFile(env)),
    ...cis.flatMap((ci) => {
      const known = ci.credentials?.(env) ?? new Map();
      const source = { hosts: [...known.keys()], credentials: knownCredentials(known) };
      return known.size === 0 ? [] : [{ name: `the variables of ${ci.title}`, ...source }];
    }),
  ];
}

/** DOCKER_AUTH_CONFIG: the document itself, or the path of its file, as GitLab's variables of type File have it. */
async function configVariable(env: Context['env']): Promise<CredentialSource[]> {
  const name = 'DOCKER_AUTH_CONFIG';
  const value = env[name];
  if (!value) return [];
  if (!isAbsolute(value)) return dockerConfig(value, name, env);
  try {
    return dockerConfig(await readFile(value, 'utf8'), name, env);
  } catch (error) {
    // The value is not repeated: it may be a secret that begins with a slash.
    return [unreadSource(name, diskError(error, `the file of ${name} cannot be read`))];
  }
}

/** Docker's configuration: none if there is no such file. */
async function configFile(env: Context['env']): Promise<CredentialSource[]> {
  const home = homeOf(env);
  const folder = env['DOCKER_CONFIG'] || (home && join(home, '.docker'));
  if (!folder) return [];
  const path = join(folder, 'config.json');
  try {
    return dockerConfig(await readFile(path, 'utf8'), path, env);
  } catch (error) {
    if (isNoFile(error)) return [];
    return [unreadSource(path, diskError(error, `${path} cannot be read`, { path }))];
  }
}

/** None in an empty text: docker's client writes a new file only when it has something to say. */
function dockerConfig(text: string, name: string, env: Context['env']): CredentialSource[] {
  if (text.trim() === '') return [];
  try {
    const hosts = dockerConfigHosts(text, name);
    return [{ name, ...hosts, credentials: dockerConfigCredentials(text, { name, env }) }];
  } catch (error) {
    return [unreadSource(name, error)];
  }
}

function unreadSource(name: string, error: unknown): CredentialSource {
  if (!isDrayageError(error)) throw error;
  const credentials = async (): Promise<never> => {
    throw error;
  };
  return { name, hosts: [], unread: error, credentials };
}

async function openCredentials(context: Context): Promise<Credentials> {
  const sources = await credentialSources(context);
  return chainCredentials(sources.map(({ credentials }) => credentials));
}

/** The authorities that docker trusts for one registry. What cannot be read is skipped with a line. */
async function authoritiesOf(host: string, { env, onProgress }: Context): Promise<string[]> {
  const folder = join(env['DRAYAGE_CERTS_D'] || CERTIFICATES, host);
  const names = await readdir(folder).catch((error: unknown): string[] => {
    const failure = diskError(error, `the authorities in ${folder} are not used, because it cannot be read`);
    if (!isNoFile(error) && isDrayageError(failure)) onProgress({ kind: 'note', message: failure.message });
    return [];
  });
  const files = names.filter((name) => name.endsWith('.crt')).toSorted();
  return Promise.all(files.map((name) => readOrNote(join(folder, name), onProgress)));
}
