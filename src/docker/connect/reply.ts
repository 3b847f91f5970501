import type { Readable } from 'node:stream';
import * as v from 'valibot';
import { currentBudget } from '../../budget.ts';
import { DrayageError, isError } from '../../errors.ts';
import { parseJson } from '../../oci/json.ts';
import { checkDocument } from '../../oci/parse.ts';
import type { DaemonReply } from './transport.ts';

/** The largest reply that is held in memory, in bytes: a list of many thousand images. */
const MAX_REPLY_SIZE = 32 * 1024 * 1024;
/** The maximum length of a daemon's message in an error, in characters. */
const MAX_MESSAGE_LENGTH = 600;

/** What is needed of a reply to read it. */
type Unread = Pick<DaemonReply, 'status' | 'body' | 'expectDocument'>;

const errorSchema = v.looseObject({ message: v.string() });

/**
 * Reads a JSON reply.
 * @param what names the request in errors: `images/json`
 * @throws {@link DrayageError} `DAEMON` if it is an error, or has another form than expected
 */
export async function readJson<T>(
  schema: v.GenericSchema<unknown, T>,
  reply: DaemonReply,
  what: string,
): Promise<T> {
  await assertOk(reply, what);
  const bytes = await readWhole(reply, what);
  try {
    return checkDocument(schema, parseJson(bytes, what), what);
  } catch (cause) {
    throw new DrayageError(
      'DAEMON',
      `docker answered ${what} with something unexpected: ${isError(cause) ? cause.message : ''}`,
      {
        cause,
      },
    );
  }
}

/** Reads a reply to its end, so that its connection can be reused. */
export async function drain(reply: DaemonReply): Promise<void> {
  reply.expectDocument();
  for await (const _ of bounded(reply.body, 'a request')) void _;
}

/**
 * Passes on the chunks of a reply that should be small.
 * @throws {@link DrayageError} `LIMIT`
 */
export async function* bounded(body: Readable, what: string): AsyncGenerator<Buffer, void, undefined> {
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_REPLY_SIZE) {
      throw new DrayageError('LIMIT', `docker answers ${what} with over ${MAX_REPLY_SIZE} bytes`, {
        expected: MAX_REPLY_SIZE,
      });
    }
    yield chunk;
  }
}

/**
 * Throws for an error reply. The body of a successful reply stays unread.
 * @throws {@link DrayageError} `DAEMON` with the daemon's message and status
 */
export async function assertOk(reply: Unread, what: string): Promise<void> {
  if (reply.status < 300) return;
  const message = await errorMessage(reply);
  throw new DrayageError('DAEMON', `docker refused ${what}: ${message}`, { status: reply.status });
}

/** The message in a daemon's error reply, in one line. */
export async function errorMessage(reply: Unread): Promise<string> {
  const bytes = await readWhole(reply, 'an error');
  const text = bytes.toString();
  try {
    return oneLine(v.parse(errorSchema, parseJson(bytes, 'an error')).message);
  } catch {
    return oneLine(text) || `status ${reply.status}`;
  }
}

/** A daemon's message in one line, shortened if it is long. */
export function oneLine(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return line.length > MAX_MESSAGE_LENGTH ? `${line.slice(0, MAX_MESSAGE_LENGTH)}…` : line;
}

async function readWhole(reply: Unread, what: string): Promise<Buffer> {
  reply.expectDocument();
  const chunks: Buffer[] = [];
  for await (const chunk of bounded(reply.body, what)) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  currentBudget()?.checkReply(bytes);
  return bytes;
}
