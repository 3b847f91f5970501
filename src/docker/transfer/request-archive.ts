import type { Readable } from 'node:stream';
import type { ContentOptions } from '../../content/source.ts';
import type { Platform } from '../../oci/platform.ts';
import type { Cleanups } from '../connect/cleanups.ts';
import type { Images } from '../images/images.ts';
import { assertOk } from '../connect/reply.ts';
import type { Transport } from '../connect/transport.ts';
import { watchDaemon } from './watch.ts';

/** The daemon to save from. */
export interface SaveTarget {
  transport: Transport;
  images: Images;
  /** The interval of pings, in ms. */
  interval: number;
  /** Whether single blobs, and one platform of several, can be requested: a containerd store, API 1.48 and later. */
  canChoose: boolean;
  cleanups: Cleanups;
}

/**
 * Requests an archive as docker writes it. A daemon may pack for long, but one that stops answering ends the stream.
 * @param names names with their tags, or IDs; a bare name would bring all its tags
 * @param platform only the image for this platform, if the daemon can choose
 */
export async function requestArchive(
  { transport, interval }: Pick<SaveTarget, 'transport' | 'interval'>,
  names: readonly string[],
  platform: Platform | undefined,
  { signal }: ContentOptions,
): Promise<Readable> {
  const query = names.map((name) => `names=${encodeURIComponent(name)}`);
  if (platform !== undefined) query.push(`platform=${encodeURIComponent(JSON.stringify(platform))}`);
  const watch = watchDaemon(transport, interval, signal);
  try {
    const path = `/images/get?${query.join('&')}`;
    const reply = await transport.openLong({ path, signal: watch.signal, timeout: transport.workTimeout });
    await assertOk(reply, `to save ${names.join(', ')}`);
    return reply.body.once('close', () => watch.stop());
  } catch (error) {
    watch.stop();
    throw error;
  }
}
