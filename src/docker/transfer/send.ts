import type { Readable } from 'node:stream';
import { Transform, pipeline } from 'node:stream';
import type { ContentOptions } from '../../content/source.ts';
import { IdleWatch, idleFor } from '../../stream/idle.ts';
import { readLoadReply } from './load-reply.ts';
import { assertOk, bounded } from '../connect/reply.ts';
import { daemonIdle } from '../connect/socket-error.ts';
import type { Transport } from '../connect/transport.ts';
import type { Watch } from './watch.ts';
import { watchDaemon } from './watch.ts';

/** How many bytes of an archive a slow daemon unpacks in a millisecond: 1 MiB in a second. */
const UNPACKED = 1024 * 1.024;

/** Options of {@link sendArchive}. */
interface SendOptions extends ContentOptions {
  /** Called with the number of bytes of each chunk. */
  onSent?: (bytes: number) => void;
}

/**
 * Sends an archive to be loaded, and reads the daemon's reply. If the archive itself fails, that error is thrown, and
 * the daemon sees a body that is cut, never one that ends.
 * @returns what the daemon reports as loaded: names, or IDs of unnamed images
 * @throws {@link DrayageError} `DAEMON`, `UNREACHABLE`, `TIMEOUT`, and those of the archive
 */
export async function sendArchive(
  { transport, interval }: { transport: Transport; interval: number },
  archive: Readable,
  { signal, onSent }: SendOptions,
): Promise<string[]> {
  let bytesSent = 0;
  const watch = watchDaemon(transport, interval, signal);
  const counted = new Transform({
    transform: (chunk: Uint8Array, _encoding, callback) => {
      bytesSent += chunk.length;
      taking.passed(chunk.length);
      onSent?.(chunk.length);
      callback(null, chunk);
    },
  });
  const taking = watchTaking(transport, counted, watch);
  // Only the daemon knows how far it is: a bound for all of its work, whatever it says meanwhile.
  let late: NodeJS.Timeout | undefined;
  counted.once('end', () => {
    const limit = transport.workTimeout + bytesSent / UNPACKED;
    const what = `has not loaded the image in ${Math.round(limit / 1000)} s`;
    late = setTimeout(() => watch.end(daemonIdle(transport.host, what)), limit).unref();
  });
  // The request, whose body is the archive, reports its errors; later ones do not matter.
  archive.on('error', () => undefined);
  pipeline(archive, counted, () => taking.stop());
  try {
    return await post(transport, counted, watch.signal);
  } catch (error) {
    throw watch.signal.aborted ? watch.signal.reason : error;
  } finally {
    clearTimeout(late);
    watch.stop();
    archive.destroy();
  }
}

/** Ends a load if the daemon takes next to nothing of the archive. */
function watchTaking(transport: Transport, sent: Readable, watch: Watch): IdleWatch {
  const limit = transport.workTimeout;
  return new IdleWatch({
    limit,
    isWaiting: () => sent.readableLength > 0,
    onIdle: () => watch.end(daemonIdle(transport.host, idleFor(limit, 'took'))),
  });
}

async function post(transport: Transport, body: Readable, signal: AbortSignal): Promise<string[]> {
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
  return readLoadReply(bounded(reply.body, 'the image'));
}
