import type { Readable } from 'node:stream';
import * as v from 'valibot';
import { DrayageError } from '../../errors.ts';
import { checkDocument, parseJson } from '../../oci/parse.ts';
import type { ApiReply } from './transport.ts';

/** The largest reply that is held in memory, in bytes: a list of many thousand images. */
const MAX_REPLY_SIZE = 64 * 1024 * 1024;
/** How much of a daemon's message goes into an error, in characters. */
const MAX_MESSAGE_LENGTH = 600;

const errorSchema = v.looseObject({ message: v.string() });

/**
 * Reads a JSON reply.
 * @param what names the request in errors: `images/json`
 * @throws {@link DrayageError} `DAEMON` where it is of another form than expected, or an error
 */
export async function readJson<T>(
  schema: v.GenericSchema<unknown, T>,
  reply: ApiReply,
  what: string,
): Promise<T> {
  await assertOk(reply, what);
  const bytes = await readWhole(reply.body, what);
  try {
    return checkDocument(schema, parseJson(bytes, what), what);
  } catch (cause) {
    throw new DrayageError(
      'DAEMON',
      `docker answered ${what} with something unexpected: ${cause instanceof Error ? cause.message : ''}`,
      {
        cause,
      },
    );
  }
}

/** Reads a reply to its end without looking at it, so that its connection is of use again. */
export async function drain(reply: ApiReply): Promise<void> {
  for await (const _ of reply.body) void _;
}

/**
 * Passes over a good reply, and makes an error of another one; the body is left unread if it is good.
 * @throws {@link DrayageError} `DAEMON` with the daemon's message and status
 */
export async function assertOk(reply: ApiReply, what: string): Promise<void> {
  if (reply.status < 300) return;
  const message = await errorMessage(reply);
  throw new DrayageError('DAEMON', `docker refused ${what}: ${message}`, { status: reply.status });
}

/** What a daemon says in an error reply, in one line. */
export async function errorMessage(reply: ApiReply): Promise<string> {
  const bytes = await readWhole(reply.body, 'an error');
  const text = bytes.toString();
  try {
    return oneLine(v.parse(errorSchema, JSON.parse(text)).message);
  } catch {
    return oneLine(text) || `status ${reply.status}`;
  }
}

/** A daemon's message in one line, cut where it is long. */
export function oneLine(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return line.length > MAX_MESSAGE_LENGTH ? `${line.slice(0, MAX_MESSAGE_LENGTH)}…` : line;
}

async function readWhole(body: Readable, what: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_REPLY_SIZE) {
      throw new DrayageError('LIMIT', `docker answers ${what} with over ${MAX_REPLY_SIZE} bytes`, {
        expected: MAX_REPLY_SIZE,
      });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
