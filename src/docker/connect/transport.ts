import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import type { Agent, buildConnector } from 'undici';
import type { ContentOptions } from '../../content/source.ts';
import { endAfter, exchange } from '../../http/exchange.ts';
import type { HttpReply } from '../../http/reply.ts';
import type { DockerHost } from './host.ts';
import { daemonIdle, socketError } from './socket-error.ts';
import type { SshTarget } from './ssh-target.ts';
import { SshConnection } from './ssh.ts';
import type { TlsMaterial } from './tls.ts';
import { openAgent } from '../../agent.ts';
import { asError } from '../../errors.ts';
import { eitherSignal } from '../../stream/signals.ts';
import { getDirectly } from './direct.ts';

/** One request to a daemon. */
export interface DaemonRequest extends ContentOptions {
  method?: 'GET' | 'POST' | 'DELETE' | undefined;
  /** Path and query, without the API version. */
  path: string;
  headers?: Record<string, string> | undefined;
  body?: Readable | undefined;
  /**
   * How long the daemon may be silent, or send next to nothing, in ms; 0 means that the caller ends it. Default:
   * {@link Transport.idleTimeout}.
   */
  timeout?: number | undefined;
}

/** The reply to an {@link DaemonRequest}. Its `body` must be read or destroyed. */
export type DaemonReply = Omit<HttpReply, 'headers'>;

/** Options of {@link Transport}. */
export interface TransportOptions {
  /** TLS, if the address uses it. */
  tls?: TlsMaterial | undefined;
  /** The ssh program. Default `ssh`, on the PATH. */
  sshCommand?: string | undefined;
  /** How long the daemon may be silent, in ms. Default two minutes. */
  idleTimeout?: number | undefined;
}

const DEFAULT_IDLE_TIMEOUT = 120_000;
/** How many times as long a document may take to arrive whole. */
const DOCUMENT = 5;
/** How many times as long a daemon may be silent while it packs, takes, unpacks or removes an image. */
const WORK = 15;
/** How long a connection through ssh is kept for the next request, in ms: a new one costs a handshake. */
const SSH_KEEP_ALIVE = 60_000;

/** HTTP to one daemon, with as many connections as there are concurrent requests; idle ones are few. */
export class Transport {
  readonly host: DockerHost;
  /** How long the daemon may be silent, in ms. */
  readonly idleTimeout: number;
  readonly #options: Agent.Options;
  readonly #connectTimeout: number;
  readonly #closed = new AbortController();
  #agent: Promise<Agent> | undefined;
  readonly #tls: TlsMaterial | undefined;
  #prefix = '';

  /** @param connectTimeout in ms; ssh has its own */
  constructor(host: DockerHost, connectTimeout: number, options: TransportOptions = {}) {
    this.host = host;
    this.idleTimeout = options.idleTimeout ?? DEFAULT_IDLE_TIMEOUT;
    this.#tls = options.tls;
    this.#connectTimeout = connectTimeout;
    this.#options =
      host.ssh === undefined
        ? { connect: socketOptions(host, connectTimeout, options.tls) }
        : {
            connect: sshConnector(host.ssh, host.name, options.sshCommand),
            keepAliveTimeout: SSH_KEEP_ALIVE,
          };
  }

  /** How long the daemon may be silent while it packs, takes, unpacks or removes an image, in ms. */
  get workTimeout(): number {
    return WORK * this.idleTimeout;
  }

  /** All further requests use this version of the API. */
  useVersion(version: string): void {
    this.#prefix = `/v${version}`;
  }

  /**
   * Sends a request. Resolves when the reply begins, whatever its status. If the body fails midway, the connection is
   * destroyed, so that the daemon sees that it was cut; the body's error is thrown as it is.
   * @throws {@link DrayageError} `UNREACHABLE`, `TIMEOUT`; also from the reply's body
   */
  async open(request: DaemonRequest): Promise<DaemonReply> {
    const { method = 'GET', path, headers = {}, body, signal, timeout = this.idleTimeout } = request;
    signal?.throwIfAborted();
    try {
      this.#agent ??= openAgent(this.#options, this.host.name);
      const dispatcher = await this.#agent;
      return await exchange(`${this.host.origin}${this.#prefix}${path}`, {
        dispatcher,
        method,
        headers,
        body,
        signal,
        replyTimeout: timeout,
        // While it works, it may also be silent between the pieces of its reply.
        idleTimeout: timeout === 0 ? this.workTimeout : timeout,
        documentTimeout: DOCUMENT * this.idleTimeout,
        late: (what) => daemonIdle(this.host, what),
        explain: (error) => this.#explained(error, signal),
      });
    } catch (error) {
      throw this.#explained(error, signal);
    }
  }

  /**
   * Sends a GET whose reply is long. Where the daemon listens on a plain socket, the body can fill its reader's memory, on a
   * connection of its own; otherwise this is {@link open}.
   */
  async openLong(
    request: Pick<DaemonRequest, 'path' | 'signal' | 'timeout'>,
  ): Promise<Pick<DaemonReply, 'status' | 'body' | 'expectDocument'>> {
    const { path, signal, timeout = this.idleTimeout } = request;
    const url = new URL(`${this.host.origin}${this.#prefix}${path}`);
    if (this.host.ssh !== undefined || url.protocol !== 'http:') return this.open(request);
    const late = (what: string): Error => daemonIdle(this.host, what);
    const ending = eitherSignal(signal, this.#closed.signal);
    const { status, body } = await getDirectly({
      url,
      socketPath: this.host.socketPath,
      connectTimeout: this.#connectTimeout,
      replyTimeout: timeout,
      idleTimeout: timeout === 0 ? this.workTimeout : timeout,
      signal: ending,
      late,
      explain: (error) => this.#explained(error, signal),
    });
    return { status, body, expectDocument: () => endAfter(body, DOCUMENT * this.idleTimeout, late) };
  }

  /** Closes all connections at once; pending requests fail. */
  async close(): Promise<void> {
    this.#closed.abort(Object.assign(new Error('closed'), { code: 'UND_ERR_DESTROYED' }));
    await (await this.#agent)?.destroy();
  }

  #explained(error: unknown, signal: AbortSignal | undefined): unknown {
    return signal?.aborted === true ? signal.reason : socketError(this.host, error, this.#tls);
  }
}

function socketOptions(
  { socketPath }: DockerHost,
  timeout: number,
  tls: TlsMaterial | undefined,
): buildConnector.BuildOptions {
  const { ca, cert, key, verify = true } = tls ?? {};
  return {
    timeout,
    ...(socketPath !== undefined && { socketPath }),
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
    rejectUnauthorized: verify,
  };
}

function sshConnector(target: SshTarget, name: string, command = 'ssh'): buildConnector.connector {
  return (_, callback) => {
    SshConnection.open(target, command, name).then(
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- for HTTP a duplex stream with ref and unref is a socket
      (connection) => callback(null, connection as unknown as Socket),
      (error: unknown) => callback(asError(error), null),
    );
  };
}
