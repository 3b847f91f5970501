import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { PassThrough, pipeline } from 'node:stream';
import type { Agent, buildConnector } from 'undici';
import type { ContentOptions } from '../../content/source.ts';
import type { DockerHost } from './host.ts';
import { socketError } from './socket-error.ts';
import type { SshTarget } from './ssh-target.ts';
import { SshConnection } from './ssh.ts';
import type { TlsMaterial } from './tls.ts';
import { asError } from '../../errors.ts';

/** One request to a daemon. */
export interface DaemonRequest extends ContentOptions {
  method?: 'GET' | 'POST' | 'DELETE' | undefined;
  /** Path and query, without the API version. */
  path: string;
  headers?: Record<string, string> | undefined;
  body?: Readable | undefined;
  /** How long to wait for the reply's headers, and then for each piece of its body, in ms; 0 means forever. Default two minutes. */
  timeout?: number | undefined;
}

/** The reply to an {@link DaemonRequest}. Its `body` must be read or destroyed. */
export interface DaemonReply {
  status: number;
  header(name: string): string | undefined;
  /** Fails if the connection breaks before the end. */
  body: Readable;
}

/** Options of {@link Transport}. */
export interface TransportOptions {
  /** TLS, if the address uses it. */
  tls?: TlsMaterial | undefined;
  /** The ssh program. Default `ssh`, on the PATH. */
  sshCommand?: string | undefined;
}

const DEFAULT_TIMEOUT = 120_000;
/** How long a connection through ssh is kept for the next request, in ms: a new one costs a handshake. */
const SSH_KEEP_ALIVE = 60_000;
/**
 * How many chunks of a reply pass at once; docker sends chunks of 32 KiB. Whenever undici is paused while it parses, it
 * reads up to 64 KiB more and copies everything that waits. With one chunk at a time, an archive would pile up in
 * memory, and take time by the square of its size.
 */
const CHUNKS = 16;

/** HTTP to one daemon, with as many connections as there are concurrent requests. */
export class Transport {
  readonly host: DockerHost;
  readonly #options: Agent.Options;
  #agent: Agent | undefined;
  readonly #tls: TlsMaterial | undefined;
  #prefix = '';

  /** @param connectTimeout in ms; ssh has its own */
  constructor(host: DockerHost, connectTimeout: number, options: TransportOptions = {}) {
    this.host = host;
    this.#tls = options.tls;
    this.#options =
      host.ssh === undefined
        ? { connect: socketOptions(host, connectTimeout, options.tls) }
        : {
            connect: sshConnector(host.ssh, host.name, options.sshCommand),
            keepAliveTimeout: SSH_KEEP_ALIVE,
          };
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
    const { method = 'GET', path, headers, body, signal, timeout = DEFAULT_TIMEOUT } = request;
    signal?.throwIfAborted();
    try {
      // Loading undici takes 0.1 s and 20 MB: only for those who use a daemon.
      const { Agent, request: send } = await import('undici');
      this.#agent ??= new Agent(this.#options);
      const reply = await send(`${this.host.origin}${this.#prefix}${path}`, {
        dispatcher: this.#agent,
        method,
        headersTimeout: timeout,
        bodyTimeout: timeout,
        ...(headers && { headers }),
        ...(body && { body }),
        ...(signal && { signal }),
      });
      return {
        status: reply.statusCode,
        header: (name) => [reply.headers[name.toLowerCase()] ?? []].flat()[0],
        body: this.#checked(reply.body, signal),
      };
    } catch (error) {
      throw this.#explained(error, signal);
    }
  }

  /** Closes all connections at once; pending requests fail. */
  async close(): Promise<void> {
    await this.#agent?.destroy();
  }

  #checked(body: Readable, signal: AbortSignal | undefined): Readable {
    const checked = new PassThrough({
      // Object mode keeps chunks as they are; byte mode would copy them.
      objectMode: true,
      highWaterMark: CHUNKS,
      destroy: (error, callback) => callback(error && asError(this.#explained(error, signal))),
    });
    pipeline(body, checked, () => undefined);
    return checked;
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

/** A stream fails only with errors, but an abort's reason may be anything. */
