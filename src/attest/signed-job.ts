import type { AddressedJob, BuildType } from '../ci/build.ts';
import type { Provenance } from './provenance.ts';

/** A job, and the build type whose CI runs it. */
export interface SignedJob extends AddressedJob {
  type: BuildType;
}

/** The job that an accepted signature states; undefined if no known build type has such a job. */
export function signedJob(
  { source, job, claimed }: Provenance,
  buildTypes: readonly BuildType[],
): SignedJob | undefined {
  if (source === null || job === null) return undefined;
  for (const type of buildTypes) {
    const found = type.jobAt(source, job, claimed.jobName ?? undefined);
    if (found !== undefined) return { ...found, type };
  }
  return undefined;
}
