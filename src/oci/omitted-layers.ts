import { DrayageError } from '../errors.ts';
import { OMITTED_LAYERS } from './annotations.ts';
import type { Digest } from './digest.ts';

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
