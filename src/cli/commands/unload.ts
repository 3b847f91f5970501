import type { UnloadOptions } from '../../index.ts';
import { DrayageError, unload } from '../../index.ts';
import { ciOf, jobSecretOf, knownCis, readIds, readJob } from '../ci.ts';
import type { CommonOptions, Context, Outcome } from '../context.ts';
import { openDaemon } from '../daemon.ts';
import { parseAge } from '../quantities.ts';

/** Options of `drayage unload`. */
export interface UnloadCommandOptions extends CommonOptions {
  olderThan?: string;
  pipeline?: boolean;
  host?: string;
}

/** `drayage unload` */
export async function unloadImages(
  _: readonly string[],
  options: UnloadCommandOptions,
  context: Context,
): Promise<Outcome> {
  const leases = chooseLeases(options, context);
  await using daemon = await openDaemon(options.host, context);
  const result = await unload({ from: daemon, leases, now: new Date(), signal: context.signal });
  const text = [
    ...result.removed.map((ref) => `${ref}: removed`),
    ...result.kept.map(({ ref, reason }) => `${ref}: kept, ${reason}`),
  ];
  return {
    json: result,
    text: text.length > 0 ? text : [`nothing to give back at ${daemon.host}`],
    quiet: result.removed,
  };
}

function chooseLeases(
  { olderThan, pipeline }: UnloadCommandOptions,
  { env }: Context,
): UnloadOptions['leases'] {
  if (olderThan !== undefined) return { before: new Date(Date.now() - parseAge(olderThan)) };
  // The IDs are enough, so that a job whose variables are incomplete can be cleaned up, too.
  const ids = ciOf(env) && readIds(env);
  if (pipeline === true)
    return { pipeline: ids?.pipelineId ?? readJob(env)?.origin.pipelineId ?? outsideJob() };
  const job = ids && (ids.jobId ?? readJob(env)?.origin.jobId);
  if (job !== undefined) return { job, secret: jobSecretOf(env) };
  return outsideJob();
}

function outsideJob(): never {
  throw new DrayageError(
    'USAGE',
    `this is not a ${knownCis} job, and only a job can give back what it has loaded`,
    {
      hint: 'outside a job, name an age: --older-than 24h; docker rmi removes single images',
    },
  );
}
