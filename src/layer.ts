import type { ContentOptions, ContentSource } from './content.ts';
import type { Descriptor } from './oci/descriptor.ts';
import type { Digest } from './oci/digest.ts';
import { createDigester } from './oci/digest.ts';
import { decompressDetected } from './stream/sniffed.ts';
import { digestMismatch } from './stream/verified.ts';

/** A layer: the digest of its uncompressed bytes, and the blob that stores it. */
export interface Layer {
  diffId: Digest;
  blob: Descriptor;
}

/** The uncompressed bytes of a layer, whatever its media type claims: the bytes themselves tell how they are compressed. */
export async function* openLayer(
  source: ContentSource,
  blob: Descriptor,
  options: ContentOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  yield* decompressDetected(await source.open(blob, options), `layer ${blob.digest}`);
}

/**
 * Reads a layer through and checks the blob's digest and size, and the diffID.
 * @returns the number of uncompressed bytes
 * @throws {@link DrayageError} `DIGEST_MISMATCH`, `SIZE_MISMATCH`, `MALFORMED`, `TRUNCATED`, `NOT_FOUND`
 */
export async function verifyLayer(
  source: ContentSource,
  { diffId, blob }: Layer,
  options: ContentOptions = {},
): Promise<number> {
  const digester = createDigester(diffId.startsWith('sha512') ? 'sha512' : 'sha256');
  let size = 0;
  for await (const chunk of openLayer(source, blob, options)) {
    digester.update(chunk);
    size += chunk.length;
  }
  const actual = digester.digest();
  if (actual !== diffId)
    throw digestMismatch({ digest: diffId, size }, actual, `content of layer ${blob.digest}`);
  return size;
}
