import type { Readable } from 'node:stream';
import { Transform, pipeline } from 'node:stream';
import type { Dispatcher } from 'undici';
import { asError } from '../errors.ts';
import { IdleWatch, idleFor } from '../stream/idle.ts';
import type { AnyDispatcher } from '../undici.ts';
import { send } from '../undici.ts';
import { isGarbled } from './network-error.ts';
import type { HttpReply } from './reply.ts';

/** One request and its reply, with the time limits of both. */
export interface Exchange {
  dispatcher: AnyDispatcher;
  method: Dispatcher.HttpMethod;
  headers: Readonly<Record<string, string>>;
  body?: Uint8Array | string | Readable | undefined;
  signal: AbortSignal | undefined;
  /** How long to wait for the headers of the reply, in milliseconds; 0 for ever. */
  replyTimeout: number;
  /** How long the body of the reply may bring next to nothing, in milliseconds; 0 for ever. */
  idleTimeout: number;
  /** How long a document may take to arrive whole, in milliseconds. Default: five times as long. */
  documentTimeout?: number | undefined;
  /** The error for a server that is too slow, by what it did: `sent under 64 KiB in 60 s`. */
  late: (what: string) => Error;
  /** What the reply's body throws for a failure. Default: the failure. */
  explain?: (error: unknown) => unknown;
}

/**
 * How many chunks of a reply pass at once; docker sends chunks of 32 KiB. Whenever undici is paused while it parses, it
 * reads up to 64 KiB more and copies everything that waits. With one chunk at a time, an archive would pile up in
 * memory, and take time by the square of its size.
 */
const CHUNKS = 16;
/** A document must have arrived whole after this many times the idle time-out. */
const DOCUMENT = 5;

/**
 * Sends a request; resolves when the reply begins. All requests to registries, GitLab and daemons are sent here, so that
 * one place ends those that never do. Its errors are those of undici, and `late`.
 */
export async function exchange(url: URL | string, request: Exchange): Promise<HttpReply> {
  const { dispatcher, method, headers, body, signal, replyTimeout, idleTimeout, late } = request;
  const { documentTimeout = DOCUMENT * idleTimeout } = request;
  let sinceInfo: number | undefined;
  const options: Parameters<typeof send>[2] = {
    method,
    headers,
    headersTimeout: replyTimeout,
    // The watch of the body decides.
    bodyTimeout: 0,
    ...(body !== undefined && { body }),
    ...(signal && { signal }),
    // By default undici closes a connection after HEAD, since some servers send a body then: see below.
    ...(method === 'HEAD' && { reset: false }),
    onInfo: () => {
      // Each interim reply begins undici's time limit again.
      sinceInfo ??= performance.now();
      if (replyTimeout > 0 && performance.now() - sinceInfo > replyTimeout)
        throw late('sends interim replies only');
    },
  };
  const reply = await againIfGarbled(method, async () => {
    sinceInfo = undefined;
    return send(dispatcher, new URL(url), options);
  });
  const values = (name: string): string[] => [reply.headers[name.toLowerCase()] ?? []].flat();
  const arriving = arrivingBody(reply.body, request);
  const announced = values('content-length')[0];
  return {
    status: reply.statusCode,
    header: (name) => values(name)[0],
    headers: values,
    size: method === 'HEAD' ? 0 : announced === undefined ? undefined : Number(announced),
    body: arriving,
    expectDocument: () => endAfter(arriving, documentTimeout, late),
  };
}

/** Sends a request that only reads once more, if its reply is garbled. */
async function againIfGarbled<T>(method: Dispatcher.HttpMethod, attempt: () => Promise<T>): Promise<T> {
  try {
    return await attempt();
  } catch (error) {
    // The connection may have held the body of a reply to HEAD. It is closed now.
    if (isGarbled(error) && (method === 'GET' || method === 'HEAD')) return attempt();
    throw error;
  }
}

/** The body of a reply, which fails if it brings next to nothing for too long. */
function arrivingBody(body: Readable, { idleTimeout, late, explain = same }: Exchange): Readable {
  const arriving = new Transform({
    // Object mode keeps chunks as they are; byte mode would copy them.
    objectMode: true,
    highWaterMark: CHUNKS,
    transform: (chunk: Uint8Array, _, callback) => {
      watch.passed(chunk.length);
      callback(null, chunk);
    },
    destroy: (error, callback) => callback(error && asError(explain(error))),
  });
  const watch = new IdleWatch({
    limit: idleTimeout,
    isWaiting: () => arriving.readableLength === 0,
    onIdle: () => arriving.destroy(late(idleFor(idleTimeout, 'sent'))),
  });
  pipeline(body, arriving, () => watch.stop());
  return arriving;
}

/** Makes a body fail if it has not arrived whole within a time, in ms; 0 is for ever. */
export function endAfter(body: Readable, limit: number, late: Exchange['late']): void {
  if (limit === 0) return;
  const timer = setTimeout(() => {
    body.destroy(late(`has not sent a whole document in ${Math.round(limit / 100) / 10} s`));
  }, limit).unref();
  body.once('close', () => clearTimeout(timer));
}

function same(error: unknown): unknown {
  return error;
}
