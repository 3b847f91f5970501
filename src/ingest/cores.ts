import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** The files of a cgroup's CPU quota, in microseconds: version 2 has one, version 1 has two. */
const QUOTA_FILES: readonly (readonly string[])[] = [
  ['cpu.max'],
  ['cpu/cpu.cfs_quota_us', 'cpu/cpu.cfs_period_us'],
];

/**
 * How many threads can run at once: the cores, or the part of them that the container may use. Node 20 does not know
 * quotas, and would start eight threads where a CI job has one core.
 * @param cgroup the cgroup file system
 */
export function availableCores(
  cgroup: string = '/sys/fs/cgroup',
  cores: number = availableParallelism(),
): number {
  const quotas = QUOTA_FILES.map((files) => quota(files.map((file) => `${cgroup}/${file}`)));
  return Math.min(cores, ...quotas.map((share) => Math.max(1, Math.ceil(share))));
}

/** The cores that a quota allows; without a quota there is no limit. */
function quota(files: readonly string[]): number {
  try {
    const text = files.map((file) => readFileSync(file, 'latin1').trim()).join(' ');
    const [allowed = NaN, period = NaN] = text.split(' ').map(Number);
    return allowed > 0 && period > 0 ? allowed / period : Infinity;
  } catch {
    return Infinity;
  }
}
