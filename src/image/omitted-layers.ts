import { DrayageError } from '../errors.ts';
import { BASE_NAME } from '../oci/annotations.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { BASE_JOBS, OMITTED_LAYERS } from './annotations.ts';
import type { JobPlace } from './base-jobs.ts';
import { baseJobsAnnotation, baseJobsOf, describeJob } from './base-jobs.ts';

type Annotations = Readonly<Record<string, string>>;

/**
 * The blobs of a manifest's omitted layers, as the image's annotations state them: the first ones by their number, and
 * those of base jobs by their digests. One that occurs again above is also omitted there, because every blob is stored
 * once.
 * @param layers of the manifest, bottom first
 * @throws {@link DrayageError} `MALFORMED`
 */
export function omittedBlobs(
  layers: readonly Descriptor[],
  image: { root: Descriptor; annotations?: Annotations },
): Set<Digest> {
  const jobs = baseJobsOf(image);
  const first = layers.slice(0, statedCount(image));
  return new Set([...first, ...layers.filter(({ digest }) => jobs.has(digest))].map(({ digest }) => digest));
}

/**
 * How many of the first layers an image omits, in words: `2 of docker.io/library/node:22`, or `none`. Layers in the
 * artifacts of jobs do not count.
 * @throws {@link DrayageError} `MALFORMED`
 */
export function describeOmitted(image: { root: Descriptor; annotations: Annotations }): string {
  const count = statedCount(image);
  return count === 0 ? 'none' : `${count} of ${image.annotations[BASE_NAME] ?? 'another layout'}`;
}

/**
 * The annotations of an image that consists of these: what is true of each, and in which artifact each blob is. The
 * number of omitted first layers must be the same for all.
 * @throws {@link DrayageError} `MALFORMED`
 */
export function jointAnnotations(
  parts: readonly { root: Descriptor; annotations: Annotations }[],
): Record<string, string> {
  const [first = {}, ...others] = parts.map(({ annotations }) => annotations);
  const common = Object.entries(first).filter(([key, value]) => others.every((own) => own[key] === value));
  const jobs = new Map(parts.toReversed().flatMap((part) => [...baseJobsOf(part)]));
  return { ...Object.fromEntries(common), ...omissionOf(0, jobs) };
}

/** Omitted layers of an image that are in one place. */
export interface OmittedPart {
  /** `job 4711 of project 12`, or the name of the base image. */
  where: string;
  /** When that place expires, as ISO 8601; null if nobody says. */
  until: string | null;
  /** The artifact of the job that has them; null for a base image. */
  job: Omit<JobPlace, 'expires'> | null;
  layers: number;
  /** Stored bytes of these layers. */
  bytes: number;
}

/**
 * Where omitted layers are, as the images' annotations state it. A layer that several of them omit counts for the first.
 * @param images each with the blobs of its omitted layers
 * @throws {@link DrayageError} `MALFORMED`
 */
export function omittedParts(
  images: readonly {
    root: Descriptor;
    annotations?: Annotations | undefined;
    omitted: readonly Pick<Descriptor, 'digest' | 'size'>[];
  }[],
): OmittedPart[] {
  const parts = new Map<string, OmittedPart>();
  const known = new Set<Digest>();
  for (const { root, annotations = {}, omitted } of images) {
    const jobs = baseJobsOf({ root, annotations });
    for (const { digest, size } of omitted) {
      if (known.has(digest)) continue;
      known.add(digest);
      const place = placeOf(jobs.get(digest), annotations);
      const key = JSON.stringify(place);
      const { layers, bytes } = parts.get(key) ?? { layers: 0, bytes: 0 };
      parts.set(key, { ...place, layers: layers + 1, bytes: bytes + size });
    }
  }
  return [...parts.values()];
}

function placeOf(
  place: JobPlace | undefined,
  annotations: Annotations,
): Pick<OmittedPart, 'where' | 'until' | 'job'> {
  if (place === undefined)
    return { where: annotations[BASE_NAME] ?? 'another layout', until: null, job: null };
  const { expires, ...job } = place;
  return { where: describeJob(place), until: expires ?? null, job };
}

/** What annotations state about omitted layers, and nothing else. */
export type Omission = Readonly<Partial<Record<typeof OMITTED_LAYERS | typeof BASE_JOBS, string>>>;

/** States this number of first layers as omitted, and these blobs as those of jobs. */
export function omissionOf(count: number, jobs: ReadonlyMap<Digest, JobPlace> = new Map()): Omission {
  const places = baseJobsAnnotation(jobs);
  return {
    ...(count > 0 && { [OMITTED_LAYERS]: String(count) }),
    ...(places !== undefined && { [BASE_JOBS]: places }),
  };
}

/** What an image's annotations state about its omitted layers; undefined if they state none. */
export function statedOmission({
  [OMITTED_LAYERS]: count,
  [BASE_JOBS]: jobs,
}: Annotations): Omission | undefined {
  if (count === undefined && jobs === undefined) return undefined;
  return {
    ...(count !== undefined && { [OMITTED_LAYERS]: count }),
    ...(jobs !== undefined && { [BASE_JOBS]: jobs }),
  };
}

/** The annotations with this omission in place of their own; undefined for none. */
export function withOmission(
  annotations: Annotations,
  omission: Omission | undefined,
): Record<string, string> {
  const { [OMITTED_LAYERS]: _, [BASE_JOBS]: __, ...rest } = annotations;
  return { ...rest, ...omission };
}

/** The annotations of an image where its contents are copied to: they speak of omitted layers only if some still are. */
export function keptAnnotations(
  annotations: Annotations,
  { omitted }: { omitted: readonly Descriptor[] },
): Record<string, string> {
  return omitted.length > 0 ? { ...annotations } : withOmission(annotations, undefined);
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
