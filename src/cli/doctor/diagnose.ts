import { checkCache } from './cache.ts';
import type { Check } from './check.ts';
import { checkDaemon } from './daemon.ts';
import { checkCredentials, checkHosts } from './hosts.ts';
import type { DoctorInput } from './input.ts';
import { checkJob } from './job.ts';
import { checkLayout } from './layout.ts';
import { checkLimit } from './limit.ts';
import { checkCodec, checkNode } from './node.ts';
import { checkRequest } from './request.ts';
import { checkThin } from './thin.ts';
import { checkSigning, checkTokens } from './tokens.ts';
import type { Trial } from './trial.ts';
import { namesImages, trySave } from './trial.ts';

/**
 * Examines everything that a save meets here, in the order in which a save meets it. A save that is bound to fail is
 * not tried.
 */
export async function diagnose(input: DoctorInput): Promise<Check[]> {
  const { compress, level } = input.options;
  const node = await checkNode(process.versions.node);
  // What such a Node lacks makes everything else fail for the same reason.
  if (node.status === 'fail') return [node];
  const before = [
    node,
    await checkRequest(input),
    await checkJob(input),
    await checkSigning(input),
    await checkLayout(input),
    await checkDaemon(input),
    await checkCodec(compress, level),
  ];
  const isBoundToFail = before.some(({ status }) => status === 'fail');
  const trial: Trial | undefined = !isBoundToFail && namesImages(input) ? await trySave(input) : undefined;
  return [
    ...before,
    ...(trial === undefined ? [] : [trial.check]),
    await checkLimit(input, trial),
    await checkThin(input, trial),
    await checkTokens(input),
    await checkCredentials(input),
    await checkHosts(input),
    await checkCache(input),
  ];
}
