import type { Duplex } from 'node:stream';
import type { Agent, Client, Dispatcher, buildConnector } from 'undici';
import { asError } from './errors.ts';
import { loadClient } from './undici.ts';

/**
 * The maximum number of connections to one server, over everything that this process does. A daemon has one for each request
 * that runs, and no idle one beyond these.
 */
export const MAX_CONNECTIONS = 8;

/** A connection that is open, or is being opened. */
interface Connection {
  client: Client;
  socket?: Duplex;
}

/** The connections to each host, of all agents. A host without any is not listed. */
const hosts = new Map<string, Set<Connection>>();

/** The hosts to which this process has connections. */
export const connectedHosts: ReadonlyMap<string, ReadonlySet<unknown>> = hosts;

/** Names a host: the same for all forms of its origin. */
export function hostKey(origin: string | URL): string {
  return URL.canParse(String(origin)) ? new URL(origin).origin : String(origin);
}

/**
 * An agent that counts its connections together with those of other agents: before it opens one beyond
 * {@link MAX_CONNECTIONS} to a host, it closes an idle one, whichever agent has that. It does not limit requests that run.
 * @param host tells hosts apart that have one origin, such as daemons; default: the origin
 */
export async function openAgent(options: Agent.Options, host?: string): Promise<Agent> {
  const { Agent: Direct } = await loadClient();
  return new Direct({ ...options, factory: await countedPools(host) });
}

/** Makes the pools of an agent as {@link openAgent} says, also of one that uses proxies. */
export async function countedPools(
  host?: string,
): Promise<(origin: string | URL, options: object) => Dispatcher> {
  const { Pool, Client: Single } = await loadClient();
  return (origin, options) => {
    const key = host ?? hostKey(origin);
    // A pool has made `connect` a function by then.
    const factory = (url: URL, own: { connect?: buildConnector.connector }): Client => {
      const { connect } = own;
      const client: Client = new Single(url, {
        ...own,
        ...(connect && { connect: counting(connect, key, () => client) }),
      });
      return client;
    };
    return new Pool(origin, { ...options, factory });
  };
}

/** Connects when there is room for one more. */
function counting(
  connect: buildConnector.connector,
  host: string,
  clientOf: () => Client,
): buildConnector.connector {
  return (to, done) => {
    const own: Connection = { client: clientOf() };
    const open = (hosts.get(host) ?? new Set()).add(own);
    hosts.set(host, open);
    const ended = (): void => {
      if (open.delete(own) && open.size === 0) hosts.delete(host);
    };
    makeRoom(open)
      .then(() =>
        connect(to, (...[error, socket]) => {
          if (error !== null) {
            ended();
            return done(error, null);
          }
          own.socket = socket.once('close', ended);
          return done(null, socket);
        }),
      )
      .catch((error: unknown) => {
        ended();
        done(asError(error), null);
      });
  };
}

/** Closes idle connections until there are no more than there may be, or all others are in use. */
async function makeRoom(open: Set<Connection>): Promise<void> {
  const closing: Promise<unknown>[] = [];
  for (const one of open) {
    const { client, socket } = one;
    if (open.size <= MAX_CONNECTIONS) break;
    if (socket === undefined || client.stats.size > 0) continue;
    open.delete(one);
    closing.push(new Promise((closed) => socket.once('close', closed).destroy()));
  }
  await Promise.all(closing);
}
