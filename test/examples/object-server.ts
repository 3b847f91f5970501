/** A server that keeps objects by name, with ETags, as S3 does. */
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { once } from 'node:events';
import { buffer } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';

/** Starts one; it ends with the test. @returns its address */
export async function startObjectServer(): Promise<string> {
  const objects = new Map<string, { bytes: Buffer; etag: string }>();
  let changes = 0;
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method, url = '', headers } = request;
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
    const from = Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0);
    if (found === undefined) response.writeHead(404).end();
    else {
      const bytes = found.bytes.subarray(from);
      response.writeHead(200, { etag: found.etag, 'content-length': bytes.length });
      response.end(method === 'HEAD' ? undefined : bytes);
    }
  };
  const server = createServer((request, response) => void answer(request, response));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => void server.close());
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
}
