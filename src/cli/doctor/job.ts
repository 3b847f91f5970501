import { ciOf, knownCis } from '../ci.ts';
import type { Check } from './check.ts';
import { examine } from './check.ts';
import type { DoctorInput } from './input.ts';

/** The job, by the variables of its CI. */
export async function checkJob({ context: { env } }: DoctorInput): Promise<Check> {
  return examine('job', 'fail', async (facts) => {
    const ci = ciOf(env);
    if (ci === undefined) {
      facts['ci'] = null;
      return {
        status: 'ok',
        message: `this is not a ${knownCis} job: images get no origin, and no reports are written`,
        facts,
      };
    }
    facts['ci'] = ci.name;
    const { server, projectPath, pipelineId, jobId, jobName, ref, commit } = ci.readOrigin(env);
    Object.assign(facts, { server, projectPath, pipelineId, jobId, jobName, ref, commit });
    const message = `${ci.title} job ${jobId} (${jobName}) of pipeline ${pipelineId}, ${projectPath} at ${server}`;
    return { status: 'ok', message, facts };
  });
}
