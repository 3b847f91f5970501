import type { Readable } from 'node:stream';
import { Transform, pipeline } from 'node:stream';
import type { LoadOptions } from '../../content/endpoint.ts';
import { readLoadReply } from './load-reply.ts';
import { assertOk } from '../connect/reply.ts';
import type { Transport } from '../connect/transport.ts';
import { watchDaemon } from './watch.ts';

/**
 * Sends an archive to be loaded, and reads the daemon's reply. If the archive itself fails, that error is thrown, and
 * the daemon sees a body that is cut, never one that ends.
 * @returns the number of bytes sent
 * @throws {@link DrayageError} `DAEMON`, `UNREACHABLE`, and those of the archive
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
  // The request, whose body is the archive, reports its errors; later ones do not matter.
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
