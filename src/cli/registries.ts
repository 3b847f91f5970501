import { readdir, readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Credentials } from '../index.ts';
import {
  chainCredentials,
  cis,
  dockerConfigCredentials,
  dockerConfigHosts,
  knownCredentials,
  Registries,
} from '../index.ts';
import type { Context } from './context.ts';
import { openConnections } from './http.ts';

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
 * `certs.d`, and with the credentials of docker's config.json, of DOCKER_AUTH_CONFIG and of the CI job, in this order.
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

/** A place that has credentials for registries. */
export interface CredentialSource {
  /** For people: the path of the file, the name of the variable. */
  name: string;
  /** The hosts that it names, as references name them. */
  hosts: readonly string[];
  /** Docker's common store, which may know further hosts. */
  store?: string | undefined;
  credentials: Credentials;
}

/**
 * Every place that has credentials, the first that knows a registry wins. Reads no secret yet.
 * @throws {@link DrayageError} `MALFORMED`
 */
export async function credentialSources({ env }: Pick<Context, 'env'>): Promise<CredentialSource[]> {
  const path = join(env['DOCKER_CONFIG'] || join(env['HOME'] || homedir(), '.docker'), 'config.json');
  const file = await readFile(path, 'utf8').catch(() => undefined);
  const variable = env['DOCKER_AUTH_CONFIG'];
  return [
    ...(file === undefined ? [] : [dockerConfig(file, path, env)]),
    ...(variable ? [dockerConfig(variable, 'DOCKER_AUTH_CONFIG', env)] : []),
    ...cis.flatMap((ci) => {
      const known = ci.credentials?.(env) ?? new Map();
      const source = { hosts: [...known.keys()], credentials: knownCredentials(known) };
      return known.size === 0 ? [] : [{ name: `the variables of ${ci.title}`, ...source }];
    }),
  ];
}

function dockerConfig(text: string, name: string, env: Context['env']): CredentialSource {
  return {
    name,
    ...dockerConfigHosts(text, name),
    credentials: dockerConfigCredentials(text, { name, env }),
  };
}

async function openCredentials(context: Context): Promise<Credentials> {
  const sources = await credentialSources(context);
  return chainCredentials(sources.map(({ credentials }) => credentials));
}

/** The authorities that docker trusts for one registry. */
async function authoritiesOf(host: string, { env }: Context): Promise<string[]> {
  const folder = join(env['DRAYAGE_CERTS_D'] || CERTIFICATES, host);
  const names = (await readdir(folder).catch((): string[] => [])).filter((name) => name.endsWith('.crt'));
  return Promise.all(names.toSorted().map((name) => readFile(join(folder, name), 'utf8').catch(() => '')));
}
