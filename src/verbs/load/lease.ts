import { createHmac } from 'node:crypto';
import { MAX_JOB_ID } from '../../ci/ci.ts';
import { uniqueHex } from '../../listing/unique-reference.ts';
import type { NamedImage } from '../../content/endpoint.ts';
import { DrayageError } from '../../errors.ts';
import type { Digest } from '../../oci/digest.ts';
import { digestHex, digestOf } from '../../oci/digest.ts';

/** The repository of all leases. */
const REPOSITORY = 'drayage-lease';
/** The form of a job's ID. */
const JOB_ID = String.raw`\w[\w.]{0,${MAX_JOB_ID - 1}}`;
const JOB = new RegExp(`^${JOB_ID}$`);
const LEASE = new RegExp(
  String.raw`^drayage-lease:(?<job>${JOB_ID})-(?<hex>[0-9a-f]{12})-(?<name>[0-9a-f]{8})-(?<since>0|[1-9a-z][0-9a-z]{0,8})(?<found>-found)?(?:-(?<seal>[0-9a-f]{16}))?$`,
);
/** The latest time that a date can express, in seconds since 1970. */
const LAST_SECOND = 8_640_000_000_000;

/** The job that takes a lease, and the time. */
export interface Leaseholder {
  /** The ID of the job: up to 64 letters, digits, dots and underscores. */
  job: string;
  /** The current time. */
  now: Date;
  /**
   * What only this job knows. It seals the lease: everybody who reaches the daemon can set a tag. Default: no seal; then
   * the lease ends with unique tags only.
   */
  secret?: string | undefined;
}

/** What a pipeline's leases have in the place of the job: no job has such an ID. */
export function pipelineHolder(pipeline: string): string {
  return `pipeline.${pipeline}`;
}

/**
 * The pipeline as one that takes leases. Its jobs have no secret in common, so its leases have no seal, and end with unique
 * tags only.
 */
export function pipelineLeaseholder(pipeline: string, now: Date): Leaseholder {
  return { job: pipelineHolder(pipeline), now };
}

/**
 * A lease: a job holds one name of an image. It is a tag of that image, so the image stays while a job holds it, and
 * the daemon alone records who does:
 * `drayage-lease:<job>-<12 hex of the image>-<8 hex of the name's SHA-256>-<seconds since 1970, base 36>`, `-found` if
 * the name was there before, so that no job may remove it, and the seal: `-<16 hex>`.
 */
export interface Lease {
  /** The tag itself. */
  reference: string;
  job: string;
  since: Date;
  found: boolean;
  /** The hexadecimal digits of the unique tag of the image that was loaded. */
  hex: string;
  seal: string | undefined;
  /** The daemon's ID of the image. */
  image: Digest;
  /** The held name; undefined if the image no longer has it. */
  name: string | undefined;
  /** The hash of the name, known even if the image no longer has it. */
  nameHash: string;
}

/** All leases on images. */
export function leasesOf(images: readonly NamedImage[]): Lease[] {
  return images.flatMap(({ id, names }) => {
    const others = new Map(
      names.filter((name) => !LEASE.test(name)).map((name) => [hashOfName(name), name] as const),
    );
    return names.flatMap((reference) => {
      const { job, hex, name: nameHash, since, found, seal } = LEASE.exec(reference)?.groups ?? {};
      if (job === undefined || hex === undefined || nameHash === undefined || since === undefined) return [];
      const seconds = Number.parseInt(since, 36);
      if (seconds > LAST_SECOND) return [];
      return {
        reference,
        job,
        hex,
        seal,
        since: new Date(seconds * 1000),
        found: found !== undefined,
        image: id,
        name: others.get(nameHash),
        nameHash,
      };
    });
  });
}

/** The tags that have the place of a lease and are none: no load has set them. */
export function malformedLeases(images: readonly NamedImage[]): string[] {
  const leases = new Set(leasesOf(images).map(({ reference }) => reference));
  const tags = images.flatMap(({ names }) => names.filter((name) => name.startsWith(`${REPOSITORY}:`)));
  return tags.filter((name) => !leases.has(name));
}

/** Whether the job itself took a lease, and nobody in its name. */
export function isSealedBy(lease: Lease, { job, secret }: Pick<Leaseholder, 'job' | 'secret'>): boolean {
  if (lease.job !== job) return false;
  if (secret === undefined || lease.name === undefined) return true;
  return lease.seal === sealOf(lease, lease.name, secret);
}

/** Whether only a load sets such a name: the unique tag of the image that the lease names. */
export function isOfLoads({ name, hex }: Lease): boolean {
  return name !== undefined && uniqueHex(name) === hex;
}

/**
 * The tag for a lease on a name that an image is about to get. If the daemon has the name already, it belongs to this
 * job no more than to the jobs that hold it.
 * @param unique the image's unique tag
 * @param images the daemon's images
 * @throws {@link DrayageError} `USAGE` for an invalid job ID
 */
export function leaseReference(
  { job, now, secret }: Leaseholder,
  unique: string,
  name: string,
  images: readonly NamedImage[],
): string {
  if (!JOB.test(job)) {
    throw new DrayageError('USAGE', `not the ID of a job: ${JSON.stringify(job.slice(0, 100))}`, {
      expected: `up to ${MAX_JOB_ID} letters, digits, dots and underscores`,
    });
  }
  const owner = images.find(({ names }) => names.includes(name));
  const found =
    owner !== undefined &&
    leasesOf([owner])
      .filter((lease) => lease.name === name)
      .every((lease) => lease.found);
  const since = new Date(Math.floor(now.getTime() / 1000) * 1000);
  const hex = unique.slice(-12);
  const seconds = (since.getTime() / 1000).toString(36);
  const seal = secret === undefined ? '' : `-${sealOf({ job, hex, since, found }, name, secret)}`;
  return `${REPOSITORY}:${job}-${hex}-${hashOfName(name)}-${seconds}${found ? '-found' : ''}${seal}`;
}

/** A code of everything in a lease, which only who knows the secret can compute. */
function sealOf(
  { job, hex, since, found }: Pick<Lease, 'job' | 'hex' | 'since' | 'found'>,
  name: string,
  secret: string,
): string {
  const text = JSON.stringify([REPOSITORY, job, hex, name, since.getTime(), found]);
  return createHmac('sha256', secret).update(text).digest('hex').slice(0, 16);
}

function hashOfName(name: string): string {
  return digestHex(digestOf(Buffer.from(name))).slice(0, 8);
}
