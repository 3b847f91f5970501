import type { Lease } from './lease.ts';
import { isOfLoads, isSealedBy, pipelineHolder } from './lease.ts';

/** How far the clocks of two hosts may differ, in milliseconds. */
const MAX_SKEW = 3_600_000;

/** Which leases end. */
type EndingLeases = { job: string; secret?: string | undefined } | { pipeline: string } | { before: Date };

/** What counts as a lease, and which of them end. */
export interface LeaseRules {
  /** Whether a lease counts: it ends, or it holds a name. */
  counts(lease: Lease): boolean;
  ends(lease: Lease): boolean;
  /** Whether an ended lease may remove its name. */
  mayRemove(lease: Lease): boolean;
  /** Whether tags that are malformed leases are removed. */
  sweeps: boolean;
}

/** @param now the present time; undefined if no lease is impossible */
export function leaseRules(leases: EndingLeases, now: Date | undefined): LeaseRules {
  const latest = now === undefined ? Infinity : now.getTime() + MAX_SKEW;
  const isPossible = ({ since }: Lease): boolean => since.getTime() <= latest;
  if ('before' in leases) {
    const ends = (lease: Lease): boolean =>
      lease.since.getTime() < leases.before.getTime() || !isPossible(lease);
    return { counts: () => true, ends, mayRemove: isOfLoads, sweeps: true };
  }
  const holder: { job: string; secret?: string | undefined } =
    'pipeline' in leases ? { job: pipelineHolder(leases.pipeline) } : leases;
  const isOurs = (lease: Lease): boolean => isSealedBy(lease, holder);
  return {
    counts: (lease) => (lease.job === holder.job ? isOurs(lease) : isPossible(lease)),
    ends: isOurs,
    mayRemove: (lease) => holder.secret !== undefined || isOfLoads(lease),
    sweeps: false,
  };
}
