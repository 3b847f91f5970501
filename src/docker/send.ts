import type { Readable } from 'node:stream';
import { Transform, pipeline } from 'node:stream';
import type { LoadOptions } from '../content/endpoint.ts';
import { readLoadReply } from './load-reply.ts';
import { assertOk } from './connect/reply.ts';
import type { Transport } from './connect/transport.ts';
import { watchDaemon } from './watch.ts';

/**
 * Sends an archive to be loaded, and reads the daemon's verdict. Where the archive itself fails, its error comes out, and
 * the daemon sees a body that is cut, never one that ends.
 * @returns the bytes that were sent
 * @throws {@link DrayageError} `DAEMON`, `UNREACHABLE`, and the archive's own
 */
export async function sendArchive(
  { transport, interval }: { transport: Transport; interval: number },
  archive: Readable,
  { signal, onSent }: LoadOptions,
): Promise<number> {
  let bytesSent = 0;
  const counted = new Transform({
    transform: (chunk: Uint8Array, _encoding, callback) => {
      bytesSent += chunk.length;
      onSent?.(chunk.length);
      callback(null, chunk);
    },
  });
  // Errors come out of the request, whose body the archive is; later ones are of no interest.
  archive.on('error', () => undefined);
  pipeline(archive, counted, () => undefined);
  const watch = watchDaemon(transport, interval, signal);
  try {
    await post(transport, counted, watch.signal);
    return bytesSent;
  } catch (error) {
    throw watch.signal.aborted ? watch.signal.reason : error;
  } finally {
    watch.stop();
    archive.destroy();
  }
}

async function post(transport: Transport, body: Readable, signal: AbortSignal): Promise<void> {
  const headers = { 'content-type': 'application/x-tar' };
  const reply = await transport.open({
    method: 'POST',
    path: '/images/load?quiet=1',
    headers,
    body,
    signal,
    timeout: 0,
  });
  await assertOk(reply, 'the image');
  await readLoadReply(reply.body);
}
