import type { Readable } from 'node:stream';
import type { ContentOptions } from '../content.ts';
import { parseReference } from '../oci/reference.ts';
import type { Images } from './images.ts';
import { givenName, isIdOf } from './images.ts';
import { assertOk } from './reply.ts';
import type { Transport } from './transport.ts';
import { watchDaemon } from './watch.ts';

/**
 * Opens the archive of one image. It is asked for by one name with its tag, or by its ID: a bare name would bring all its
 * tags. There is no time limit; a daemon that does not answer at all any more ends the stream.
 * @param interval of the signs of life that are asked for, in ms
 */
export async function openArchive(
  { transport, images, interval }: { transport: Transport; images: Images; interval: number },
  image: string,
  { signal }: ContentOptions,
): Promise<Readable> {
  const { id } = await images.inspect(image, { signal });
  const wanted = isIdOf(image, id) || namesDigest(image) ? id : givenName(image);
  const path = `/images/get?names=${encodeURIComponent(wanted)}`;
  const watch = watchDaemon(transport, interval, signal);
  try {
    const reply = await transport.open({ path, signal: watch.signal, timeout: 0 });
    await assertOk(reply, `to save ${image}`);
    return reply.body.once('close', () => watch.stop());
  } catch (error) {
    watch.stop();
    throw error;
  }
}

function namesDigest(image: string): boolean {
  return image.includes('@') && parseReference(image).digest !== undefined;
}
