import * as v from 'valibot';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { isDigest } from '../oci/digest.ts';
import { documentObject } from '../oci/keys.ts';
import { optional, parseDocument } from '../oci/parse.ts';
import { SERVER_ADDRESS } from '../text/server-address.ts';
import { BASE_JOBS } from './annotations.ts';

type Annotations = Readonly<Record<string, string>>;

/** The layout of an earlier job, inside that job's artifact. */
export interface JobPlace {
  /** Address of the CI server, without a slash at the end: `https://gitlab.example`. */
  server: string;
  /** ID or full path of the job's project. */
  project: string;
  /** ID of the job. */
  job: string;
  /** The folder of the layout in the artifact: `.drayage/4711`; empty if the artifact itself is the layout. */
  path: string;
  /** When the artifact expires, as ISO 8601; absent if the server does not say. */
  expires?: string | undefined;
}

/** A place in words, without its time: `job 4711 of group/app`. */
export function describeJob({ job, project }: JobPlace): string {
  return `job ${job} of ${/^\d+$/.test(project) ? `project ${project}` : project}`;
}

/** Whether the server may delete the artifact before this time. One whose expiry is not known counts as kept. */
export function expiresBefore({ expires }: JobPlace, time: Date): boolean {
  return expires !== undefined && Date.parse(expires) < time.getTime();
}

/** An address without credentials; no name that climbs out of the artifact. */
const placeSchema = documentObject({
  server: v.pipe(v.string(), v.regex(SERVER_ADDRESS), v.maxLength(500)),
  project: v.pipe(v.string(), v.regex(/^[\w.~-]+(?:\/[\w.~-]+)*$/), v.maxLength(500)),
  job: v.pipe(v.string(), v.regex(/^\d{1,20}$/)),
  path: v.pipe(v.string(), v.regex(/^(?:(?!\.{1,2}(?:\/|$))[\w.@~+ -]+(?:\/(?!$)|$))*$/), v.maxLength(500)),
  expires: optional(v.pipe(v.string(), v.isoTimestamp())),
  blobs: v.pipe(
    v.array(v.custom<Digest>((digest) => typeof digest === 'string' && isDigest(digest))),
    v.maxLength(10_000),
  ),
});

const schema = v.pipe(v.array(placeSchema), v.maxLength(1000));

/** What annotations say, by themselves: each manifest of an index asks for it, and it may name many places. */
const parsed = new WeakMap<Annotations, ReadonlyMap<Digest, JobPlace>>();

/**
 * Where an image says that its omitted blobs are, by their digests. Nobody vouches for it: the content is proven when it
 * is read.
 * @throws {@link DrayageError} `MALFORMED`
 */
export function baseJobsOf({
  root,
  annotations = {},
}: {
  root: Descriptor;
  annotations?: Annotations | undefined;
}): ReadonlyMap<Digest, JobPlace> {
  const known = parsed.get(annotations);
  if (known !== undefined) return known;
  const places = new Map<Digest, JobPlace>();
  const text = annotations[BASE_JOBS];
  const what = `${BASE_JOBS} of ${root.digest}`;
  const stated = text === undefined ? [] : parseDocument(schema, Buffer.from(text), what);
  for (const { server, project, job, path, expires, blobs } of stated)
    for (const digest of blobs) places.set(digest, { server, project, job, path, expires });
  parsed.set(annotations, places);
  return places;
}

/** The annotation that records these places; undefined for none. */
export function baseJobsAnnotation(places: ReadonlyMap<Digest, JobPlace>): string | undefined {
  const byPlace = new Map<string, JobPlace & { blobs: Digest[] }>();
  for (const [digest, { server, project, job, path, expires }] of places) {
    const place = { server, project, job, path, ...(expires !== undefined && { expires }) };
    const key = JSON.stringify(place);
    const entry = byPlace.get(key) ?? { ...place, blobs: [] };
    entry.blobs.push(digest);
    byPlace.set(key, entry);
  }
  return byPlace.size === 0 ? undefined : JSON.stringify([...byPlace.values()]);
}
