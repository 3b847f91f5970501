import type { NetConnectOpts, OnReadOpts, Socket } from 'node:net';
import { connect } from 'node:net';
import { asError } from '../../errors.ts';
import type { Http1Reply } from '../../http/http1.ts';
import { readReply } from '../../http/http1.ts';
import { FillableStream } from '../../stream/fillable-stream.ts';
import { IdleWatch, idleFor } from '../../stream/idle.ts';
import { SocketBytes } from '../../stream/socket-bytes.ts';

/** A GET on a connection of its own, with its time limits in ms; 0 is for ever. */
export interface DirectRequest {
  url: URL;
  /** The path of the unix socket, if the server is not reached by the host and port of the URL. */
  socketPath: string | undefined;
  connectTimeout: number;
  /** How long to wait for the reply. */
  replyTimeout: number;
  /** How long the body may bring next to nothing. */
  idleTimeout: number;
  signal: AbortSignal;
  /** The error for a server that is too slow, by what it did. */
  late: (what: string) => Error;
  /** What is thrown for a failure. */
  explain: (error: unknown) => unknown;
}

/**
 * Sends a GET; resolves when the reply begins. The body can fill its reader's memory straight from the socket. All other
 * ways to read HTTP allocate and copy each chunk, which costs more than to hash it.
 */
export async function getDirectly(request: DirectRequest): Promise<{ status: number; body: FillableStream }> {
  const { replyTimeout, idleTimeout, signal, late, explain } = request;
  signal.throwIfAborted();
  let watch: IdleWatch | undefined;
  const bytes = new SocketBytes(
    (onread) => openSocket(request, onread),
    (count) => watch?.passed(count),
  );
  const timer =
    replyTimeout > 0
      ? setTimeout(() => bytes.destroy(late('did not answer in time')), replyTimeout)
      : undefined;
  let end = (error: Error): void => bytes.destroy(error);
  const onAbort = (): void => end(asError(signal.reason));
  signal.addEventListener('abort', onAbort, { once: true });
  let reply: Http1Reply;
  try {
    reply = await readReply(bytes);
  } catch (error) {
    signal.removeEventListener('abort', onAbort);
    bytes.destroy();
    throw explain(error);
  } finally {
    clearTimeout(timer);
  }
  const body = new FillableStream(reply.body, explain);
  end = (error) => void body.destroy(error);
  watch = new IdleWatch({
    limit: idleTimeout,
    isWaiting: () => bytes.isWaiting,
    onIdle: () => body.destroy(late(idleFor(idleTimeout, 'sent'))),
  });
  body.once('close', () => {
    watch?.stop();
    signal.removeEventListener('abort', onAbort);
  });
  return { status: reply.status, body };
}

function openSocket({ url, socketPath, connectTimeout }: DirectRequest, onread: OnReadOpts): Socket {
  const port = Number(url.port || 80);
  const to: NetConnectOpts =
    socketPath === undefined ? { host: url.hostname.replaceAll(/[[\]]/g, ''), port } : { path: socketPath };
  const socket = connect({ ...to, onread });
  const late = setTimeout(() => socket.destroy(connectError()), connectTimeout);
  for (const event of ['connect', 'close']) socket.once(event, () => clearTimeout(late));
  // The connection is not closed on this side: a server may take that as the end of all interest.
  socket.write(`GET ${url.pathname}${url.search} HTTP/1.1\r\nhost: ${url.host}\r\nconnection: close\r\n\r\n`);
  return socket;
}

function connectError(): Error {
  return Object.assign(new Error('no connection in time'), { code: 'ETIMEDOUT', syscall: 'connect' });
}
