import type { NamedImage } from '../../content/endpoint.ts';
import { DrayageError } from '../../errors.ts';
import type { Digest } from '../../oci/digest.ts';
import { digestHex, digestOf } from '../../oci/digest.ts';

/** The repository of all leases. */
const REPOSITORY = 'drayage-lease';
/** The form of a job's ID, such as that of a GitLab job. */
const JOB = /^\w[\w.]{0,63}$/;
const LEASE =
  /^drayage-lease:(?<job>\w[\w.]{0,63})-(?<image>[0-9a-f]{12})-(?<name>[0-9a-f]{8})-(?<since>[0-9a-z]{1,9})(?<found>-found)?$/;

/** The job that takes a lease, and the time. */
export interface Leaseholder {
  /** The ID of the job: up to 64 letters, digits, dots and underscores. */
  job: string;
  /** The current time. */
  now: Date;
}

/**
 * A lease: a job holds one name of an image. It is a tag of that image, so the image stays while a job holds it, and
 * the daemon alone records who does:
 * `drayage-lease:<job>-<12 hex of the image>-<8 hex of the name's SHA-256>-<seconds since 1970, base 36>`, and `-found`
 * if the name was there before, so that no job may remove it.
 */
export interface Lease {
  /** The tag itself. */
  reference: string;
  job: string;
  since: Date;
  found: boolean;
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
      const { job, name: nameHash, since, found } = LEASE.exec(reference)?.groups ?? {};
      if (job === undefined || nameHash === undefined || since === undefined) return [];
      return {
        reference,
        job,
        since: new Date(Number.parseInt(since, 36) * 1000),
        found: found !== undefined,
        image: id,
        name: others.get(nameHash),
        nameHash,
      };
    });
  });
}

/**
 * The tag for a lease on a name that an image is about to get. If the daemon has the name already, it belongs to this
 * job no more than to the jobs that hold it.
 * @param unique the image's unique tag
 * @param images the daemon's images
 * @throws {@link DrayageError} `USAGE` for an invalid job ID
 */
export function leaseReference(
  { job, now }: Leaseholder,
  unique: string,
  name: string,
  images: readonly NamedImage[],
): string {
  if (!JOB.test(job)) {
    throw new DrayageError('USAGE', `not the ID of a job: ${JSON.stringify(job.slice(0, 100))}`, {
      expected: 'up to 64 letters, digits, dots and underscores',
    });
  }
  const owner = images.find(({ names }) => names.includes(name));
  const found =
    owner !== undefined &&
    leasesOf([owner])
      .filter((lease) => lease.name === name)
      .every((lease) => lease.found);
  const since = Math.floor(now.getTime() / 1000).toString(36);
  return `${REPOSITORY}:${job}-${unique.slice(-12)}-${hashOfName(name)}-${since}${found ? '-found' : ''}`;
}

function hashOfName(name: string): string {
  return digestHex(digestOf(Buffer.from(name))).slice(0, 8);
}
