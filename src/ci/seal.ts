import { createHmac } from 'node:crypto';

/** What names the run of a job among all. */
export interface SealedJob {
  ci: string;
  server: string;
  jobId: string;
}

/** The annotation of the images that a job writes, by which the job itself knows them again. */
export const SEAL = 'dev.drayage.seal';

/**
 * The value of the annotation `dev.drayage.seal`: a code of the job that only who knows the job's secret can compute. What was in a folder before the
 * job began has none.
 * @param content what else the code is about, such as the text of a report. Default: nothing
 */
export function sealOf(
  { ci, server, jobId }: SealedJob,
  secret: string,
  ...content: readonly string[]
): string {
  const text = JSON.stringify([SEAL, ci, server, jobId, ...content]);
  return createHmac('sha256', secret).update(text).digest('hex').slice(0, 32);
}
