import { DrayageError } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { layerCompression } from '../oci/media-types.ts';
import { drain } from '../stream/drain.ts';
import { sniffed } from '../stream/sniffed.ts';

/**
 * Passes a layer's blob through if it is compressed as its media type says. Some receivers detect the compression, others
 * go by the media type, which no digest of the blob protects.
 * @throws {@link DrayageError} `MALFORMED` for another compression; errors of the source as they are, and first
 */
export async function* compressedAsStated(
  bytes: AsyncIterable<Uint8Array>,
  { digest, mediaType }: Descriptor,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { compression: actual, bytes: whole } = await sniffed(bytes, `layer ${digest}`);
  const expected = layerCompression(mediaType);
  if (actual === expected) {
    yield* whole;
    return;
  }
  // It may be damaged, which says more.
  await drain(whole);
  const is = actual === 'none' ? 'is not compressed' : `is compressed with ${actual}`;
  throw new DrayageError('MALFORMED', `layer ${digest} ${is}, but its manifest calls it ${mediaType}`, {
    digest,
    expected,
    actual,
  });
}
