/** A server that keeps objects by name, with ETags and ranges, as S3 does. */
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { once } from 'node:events';
import { buffer } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';

/** What a server does wrong. A test may change it at any time. */
export interface ServerFaults {
  /** Answers the next request with this status. */
  once?: number | undefined;
  withoutEtags?: boolean;
  withoutRanges?: boolean;
}

/** Starts one; it ends with the test. @returns its address */
export async function startObjectServer(faults: ServerFaults = {}): Promise<string> {
  const objects = new Map<string, { bytes: Buffer; etag: string }>();
  let changes = 0;
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method, url = '', headers } = request;
    if (faults.once !== undefined) {
      request.resume();
      response.writeHead(faults.once).end();
      faults.once = undefined;
      return;
    }
    if (method === 'PUT') {
      const bytes = await buffer(request);
      const { etag } = objects.get(url) ?? {};
      const isFree = headers['if-none-match'] !== '*' || etag === undefined;
      const isSame = headers['if-match'] === undefined || headers['if-match'] === etag;
      if (isFree && isSame) objects.set(url, { bytes, etag: `"${changes++}"` });
      response.writeHead(isFree && isSame ? 200 : 412).end();
      return;
    }
    const found = objects.get(url);
    const range = faults.withoutRanges === true ? undefined : /^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1];
    if (found === undefined) response.writeHead(404).end();
    else if (Number(range) >= found.bytes.length) response.writeHead(416).end();
    else {
      const bytes = found.bytes.subarray(Number(range ?? 0));
      const etag = faults.withoutEtags === true ? {} : { etag: found.etag };
      response.writeHead(range === undefined ? 200 : 206, { ...etag, 'content-length': bytes.length });
      response.end(method === 'HEAD' ? undefined : bytes);
    }
  };
  const server = createServer((request, response) => void answer(request, response));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => void server.close());
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
}
