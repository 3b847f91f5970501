import type * as undici from 'undici';
import type { Agent, Dispatcher, EnvHttpProxyAgent, Pool } from 'undici';

/** By a name, so that bundlers do not follow it: a bundle has the parts, and would hold all of undici beside them. */
const INDEX: string = 'undici';

/** What sends requests, of any version of undici. */
export type AnyDispatcher = Pick<Dispatcher, 'dispatch'>;

/** What a client of HTTP needs of undici. */
interface Client {
  Agent: typeof Agent;
  Pool: typeof Pool;
  Client: typeof undici.Client;
  /** Sends a request through the dispatcher that is its `this`. */
  request: (this: AnyDispatcher, options: Dispatcher.RequestOptions) => Promise<Dispatcher.ResponseData>;
}

/** What connections through a proxy need of undici. */
interface Proxies {
  EnvHttpProxyAgent: typeof EnvHttpProxyAgent;
  Pool: typeof Pool;
}

/**
 * Loads the client. The index of undici also loads fetch, WebSocket, caches and mocks, which takes three times as long:
 * only the files that are used are loaded. They are not a part of undici's promised interface, so a version that has
 * them elsewhere is loaded by its index.
 */
export async function loadClient(parts: () => Promise<Client> = clientParts): Promise<Client> {
  return parts().catch(async () => {
    const { Agent, Pool, Client, Dispatcher }: typeof undici = await import(INDEX);
    // oxlint-disable-next-line typescript/unbound-method -- it is called with a dispatcher
    return { Agent, Pool, Client, request: Dispatcher.prototype.request };
  });
}

/**
 * Loads what connections through a proxy need: the whole of undici, because a tunnel uses methods that only its index gives to
 * dispatchers.
 */
export async function loadProxies(): Promise<Proxies> {
  // By its file, because Bun has a module of its own under the name undici, without these.
  const { EnvHttpProxyAgent, Pool } = await import('undici/index.js');
  return { EnvHttpProxyAgent, Pool };
}

/** Sends a request through a dispatcher. Resolves when the reply begins. */
export async function send(
  dispatcher: AnyDispatcher,
  url: URL,
  options: Omit<Dispatcher.RequestOptions, 'origin' | 'path'>,
): Promise<Dispatcher.ResponseData> {
  const { request } = await loadClient();
  return request.call(dispatcher, { ...options, origin: url.origin, path: url.pathname + url.search });
}

async function clientParts(): Promise<Client> {
  const [{ default: Agent }, { default: Pool }, { default: Client }, { default: request }] =
    await Promise.all([
      import('undici/lib/dispatcher/agent.js'),
      import('undici/lib/dispatcher/pool.js'),
      import('undici/lib/dispatcher/client.js'),
      import('undici/lib/api/api-request.js'),
    ]);
  return { Agent, Pool, Client, request };
}
