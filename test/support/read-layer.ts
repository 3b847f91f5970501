import type { ContentOptions, ContentSource } from '../../src/content/source.ts';
import type { Layer } from '../../src/image/layer.ts';
import { openLayer } from '../../src/image/layer.ts';
import { createDigester } from '../../src/oci/digest.ts';
import { digestMismatch } from '../../src/stream/verified.ts';

/** Reads a layer as a daemon does, which holds it against its diffID each time. Returns the number of uncompressed bytes. */
export async function readLayer(
  source: ContentSource,
  { diffId, blob }: Layer,
  options: ContentOptions = {},
): Promise<number> {
  const digester = createDigester();
  let size = 0;
  for await (const chunk of openLayer(source, blob, options)) {
    digester.update(chunk);
    size += chunk.length;
  }
  const actual = digester.digest();
  if (actual !== diffId) throw digestMismatch({ digest: diffId, size }, actual, `layer ${blob.digest}`);
  return size;
}
