import { DrayageError } from '../errors.ts';
import { BASE_NAME } from '../oci/annotations.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { OMITTED_LAYERS } from './annotations.ts';

type Annotations = Readonly<Record<string, string>>;

/**
 * The blobs of a manifest's omitted layers, as the image's annotations state their number. One that occurs again above
 * is also omitted there, because every blob is stored once.
 * @param layers of the manifest, bottom first
 * @throws {@link DrayageError} `MALFORMED`
 */
export function omittedBlobs(
  layers: readonly Descriptor[],
  image: { root: Descriptor; annotations?: Annotations },
): Set<Digest> {
  return new Set(layers.slice(0, statedCount(image)).map(({ digest }) => digest));
}

/**
 * Which layers an image omits, in words: `2 of docker.io/library/node:22`, or `none`.
 * @throws {@link DrayageError} `MALFORMED`
 */
export function describeOmitted(image: { root: Descriptor; annotations: Annotations }): string {
  const count = statedCount(image);
  return count === 0 ? 'none' : `${count} of ${image.annotations[BASE_NAME] ?? 'another layout'}`;
}

/** The annotations with this number of omitted layers as they state it; undefined states none. */
export function withOmitted(annotations: Annotations, count: string | undefined): Record<string, string> {
  const { [OMITTED_LAYERS]: _, ...rest } = annotations;
  return count === undefined ? rest : { ...rest, [OMITTED_LAYERS]: count };
}

/** The annotations of an image where its contents are copied to: they speak of omitted layers only if some still are. */
export function keptAnnotations(
  annotations: Annotations,
  { omitted }: { omitted: readonly Descriptor[] },
): Record<string, string> {
  return omitted.length > 0 ? { ...annotations } : withOmitted(annotations, undefined);
}

function statedCount({
  root: { digest },
  annotations,
}: {
  root: Descriptor;
  annotations?: Annotations | undefined;
}): number {
  const text = annotations?.[OMITTED_LAYERS] ?? '0';
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new DrayageError(
    'MALFORMED',
    `${OMITTED_LAYERS} of ${digest} is not a number: ${JSON.stringify(text)}`,
    { expected: 'a number of layers', actual: text, digest },
  );
}
