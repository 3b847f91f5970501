import { join } from 'node:path';
import { sealOf } from '../index.ts';
import type { Job } from './ci.ts';
import { jobSecretOf } from './ci.ts';
import type { Context } from './context.ts';
import { HOME } from './restored.ts';
import { refuseLinks } from './workspace.ts';

/** The seal of the variables that this job wrote beside its layout. */
export const REPORT_SEAL: string = join(HOME, 'report.seal');

/** The seal of a report; undefined if nothing is known that only this job knows. */
export function sealOfReport(
  text: string,
  { origin }: Job,
  { env }: Pick<Context, 'env'>,
): string | undefined {
  const secret = jobSecretOf(env);
  return secret === undefined ? undefined : sealOf(origin, secret, 'report', text);
}

/**
 * Whether this job wrote a report. An artifact may have brought one along, with variables that somebody else chose.
 * @throws {@link DrayageError} `LINK`, `LIMIT`, `IO`
 */
export async function isOwnReport(text: string, job: Job, context: Pick<Context, 'env'>): Promise<boolean> {
  const seal = sealOfReport(text, job, context);
  if (seal === undefined) return false;
  await refuseLinks(REPORT_SEAL);
  const { readOwnFile } = await import('./own-file.ts');
  return (await readOwnFile(REPORT_SEAL))?.bytes.toString().trim() === seal;
}
