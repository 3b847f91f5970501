import { DrayageError } from '../errors.ts';
import { OMITTED_LAYERS } from './annotations.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';

/**
 * Parses the number of omitted layers of an image; 0 if nothing is stated.
 * @throws {@link DrayageError} `MALFORMED`
 */
export function omittedLayers(annotations: Record<string, string> | undefined, digest: Digest): number {
  const text = annotations?.[OMITTED_LAYERS] ?? '0';
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new DrayageError(
    'MALFORMED',
    `${OMITTED_LAYERS} of ${digest} is not a number: ${JSON.stringify(text)}`,
    {
      expected: 'a number of layers',
      actual: text,
      digest,
    },
  );
}

/**
 * The blobs of a manifest's omitted layers. One that occurs again above is also omitted there, because every blob is
 * stored once.
 * @param layers of the manifest, bottom first
 * @param omitted the number of omitted layers
 */
export function omittedBlobs(layers: readonly Descriptor[], omitted: number): Set<Digest> {
  return new Set(layers.slice(0, omitted).map(({ digest }) => digest));
}

/** The annotations of an image where its contents are copied to: they speak of omitted layers only if some still are. */
export function keptAnnotations(
  annotations: Readonly<Record<string, string>>,
  { omitted }: { omitted: readonly Descriptor[] },
): Record<string, string> {
  if (omitted.length > 0) return { ...annotations };
  const { [OMITTED_LAYERS]: _, ...rest } = annotations;
  return rest;
}
