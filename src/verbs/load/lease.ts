import type { NamedImage } from '../../content/endpoint.ts';
import { DrayageError } from '../../errors.ts';
import type { Digest } from '../../oci/digest.ts';
import { digestHex, digestOf } from '../../oci/digest.ts';

/** The repository of all leases. */
const REPOSITORY = 'drayage-lease';
/** What a job may be called: the ID of a GitLab job is one. */
const JOB = /^\w[\w.]{0,63}$/;
const LEASE =
  /^drayage-lease:(?<job>\w[\w.]{0,63})-(?<image>[0-9a-f]{12})-(?<name>[0-9a-f]{8})-(?<since>[0-9a-z]{1,9})(?<found>-found)?$/;

/** Who takes a lease, and when. */
export interface Leaseholder {
  /** The ID of the job: up to 64 letters, digits, dots and underscores. */
  job: string;
  /** The clock's time. */
  now: Date;
}

/**
 * That a job holds one name of an image. It is a tag of that image, so that the image stays as long as a job holds it, and
 * nobody but the daemon has to be asked who does:
 * `drayage-lease:<job>-<12 hex of the image>-<8 hex of the name's SHA-256>-<seconds since 1970, base 36>`, and `-found` where
 * the name was there before, so that no job may take it away.
 */
export interface Lease {
  /** The tag that it is. */
  reference: string;
  job: string;
  since: Date;
  found: boolean;
  /** The daemon's ID of the image. */
  image: Digest;
  /** The name that is held; undefined where the image has it no more. */
  name: string | undefined;
  /** Of the name, also where the image has it no more. */
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
 * The tag that is the lease on a name which an image is about to get. A name that the daemon has already is as little the
 * job's own as it was that of the jobs which hold it.
 * @param unique the image's unique tag
 * @param images what the daemon has
 * @throws {@link DrayageError} `USAGE` for what cannot be the ID of a job
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
