import type { DockerDaemon, Layout, SaveReferenceResult, SignResult } from '../index.ts';
import { DrayageError, saveReference } from '../index.ts';
import { findBuiltImages } from './built-images.ts';
import type { Job } from './ci.ts';
import { annotationsOf, knownCis, readJob } from './ci.ts';
import type { Context } from './context.ts';
import { isShared, openDaemon } from './daemon.ts';
import { onlyMeaningful } from './meaning.ts';
import { createLayout, defaultLayout } from './places.ts';
import { reportPlan } from './reports.ts';
import type { SaveCommandOptions } from './save-request.ts';
import { beginSave, noteMovingTags } from './save-request.ts';

/** References that were saved. */
export interface DoneReference {
  layout: Layout;
  job: Job;
  result: SaveReferenceResult;
  signed: SignResult | undefined;
}

/**
 * Saves references to images, which stay in the daemon. Writes no reports.
 * @param mode a `trial` changes nothing in the daemon, and signs nothing
 * @throws {@link DrayageError} `USAGE` outside a job, and with options that need layers; `UNSAFE` if the daemon goes with the
 * job
 */
export async function runSticky(
  given: readonly string[],
  requested: SaveCommandOptions,
  context: Context,
  mode: 'real' | 'trial' = 'real',
): Promise<DoneReference> {
  const { env, signal, onProgress } = context;
  // Those about compression and bases have nothing to do.
  const options = onlyMeaningful(
    requested,
    ['from', 'baseLayout', 'platform', 'oneRequest'],
    'with --sticky',
    'a reference names an image that stays in the daemon as it is',
  );
  const job = readJob(env);
  if (job === undefined) throw outsideJob();
  const { names, ids, described, signing } = await beginSave(given, options, context);
  const layout = await createLayout(options.out ?? defaultLayout(env), context, options);
  await using daemon = await openDaemon(options.host, context);
  assertLasting(daemon, options, env);
  const found = await findBuiltImages(described, daemon, context);
  const isReal = mode === 'real';
  if (isReal) noteMovingTags(names, context);
  const result = await saveReference({
    from: daemon,
    images: [...names, ...ids, ...found.keys()],
    names: found,
    to: layout,
    annotations: annotationsOf(job, env),
    lease: isReal ? { pipeline: job.origin.pipelineId, now: new Date() } : undefined,
    onPlanned: isReal ? reportPlan(layout, job, options, context) : undefined,
    signal,
    onProgress,
  });
  const digests = result.images.map(({ digest }) => digest);
  const signed = isReal ? await signing?.sign(layout, [...new Set(digests)], {}) : undefined;
  return { layout, job, result, signed };
}

/** A daemon at a tcp address is a service of the job, as docker:dind is, unless the user says otherwise. */
function assertLasting({ host }: DockerDaemon, { shared }: SaveCommandOptions, env: Context['env']): void {
  if (shared === true || isShared(host, env)) return;
  throw new DrayageError('UNSAFE', `docker at ${host} goes with this job, and its images with it`, {
    reason: 'NO_LASTING_DAEMON',
    url: host,
    hint: 'save without --sticky; or, if that daemon outlasts the job and later jobs use it, add --shared',
  });
}

function outsideJob(): DrayageError {
  return new DrayageError(
    'USAGE',
    `--sticky leaves images to later jobs of a pipeline, and this is not a ${knownCis} job`,
    {
      hint: 'save the layers, too: without --sticky',
    },
  );
}
