import type { Readable } from 'node:stream';
import { currentBudget } from '../budget.ts';
import { DrayageError } from '../errors.ts';
import { MAX_DOCUMENT_SIZE } from '../oci/parse.ts';
import { networkError } from './network-error.ts';

/** A reply. Its `body` must be read or destroyed. */
export interface HttpReply {
  status: number;
  /** The value of a header; of a repeated header the first. */
  header(name: string): string | undefined;
  /** All values of a header. */
  headers(name: string): string[];
  /** Announced bytes of the body; undefined if they are not announced. */
  size: number | undefined;
  /** Fails if the connection breaks before the end, or brings next to nothing for too long. */
  body: Readable;
  /** Makes the body fail if it does not arrive whole soon: for what is read into memory. */
  expectDocument: () => void;
}

/** A body of at most this many bytes is read to its end if nobody needs it, so that its connection can be used again. */
const MAX_DROPPED = 16 * 1024;
/** How long that may take, in milliseconds. */
const DROP_TIMEOUT = 1000;

/** Discards a reply. A long body is not read, which closes its connection. */
export function drop({ body, size }: Pick<HttpReply, 'body' | 'size'>): void {
  body.on('error', () => {});
  if (size === undefined || size > MAX_DROPPED) return void body.destroy();
  const timer = setTimeout(() => body.destroy(), DROP_TIMEOUT).unref();
  body.once('close', () => clearTimeout(timer)).resume();
}

/**
 * Reads a whole reply.
 * @param url names it in errors
 * @param limit the largest size that is read, in bytes; default 4 MiB
 * @throws {@link DrayageError} `LIMIT`, also beyond the run's budget; `UNREACHABLE`, `TIMEOUT`
 */
export async function readWhole(
  { body, expectDocument }: Pick<HttpReply, 'body' | 'expectDocument'>,
  url: string,
  limit: number = MAX_DOCUMENT_SIZE,
): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  expectDocument();
  try {
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      size += chunk.length;
      if (size > limit) {
        throw new DrayageError('LIMIT', `${url} is over the limit of ${limit} bytes`, {
          url,
          expected: limit,
        });
      }
      chunks.push(chunk);
    }
  } catch (error) {
    throw networkError(url, error);
  }
  const bytes = Buffer.concat(chunks);
  currentBudget()?.spendReply(bytes);
  return bytes;
}

/** Content-Range: `bytes 0-0/1234`. */
export function readContentRange(reply: HttpReply): { first: number; total: number } | undefined {
  const [, first, total] =
    /^bytes (\d{1,15})-\d{1,15}\/(\d{1,15})$/.exec(reply.header('content-range') ?? '') ?? [];
  return total === undefined ? undefined : { first: Number(first), total: Number(total) };
}
