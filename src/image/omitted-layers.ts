import { DrayageError } from '../errors.ts';
import { OMITTED_LAYERS } from './annotations.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';

/**
 * Reads how many of an image's layers were left out on purpose; 0 where nothing is said.
 * @throws {@link DrayageError} `MALFORMED`
 */
export function omittedLayers(annotations: Record<string, string> | undefined, digest: Digest): number {
  const text = annotations?.[OMITTED_LAYERS] ?? '0';
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new DrayageError(
    'MALFORMED',
    `${OMITTED_LAYERS} of ${digest} is no number: ${JSON.stringify(text)}`,
    {
      expected: 'a number of layers',
      actual: text,
      digest,
    },
  );
}

/**
 * The blobs of a manifest that are left out where its first layers are: one that comes again further up is left out there,
 * too, as every blob is stored once.
 * @param layers of the manifest, bottom first
 * @param omitted how many of them are left out
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
