/** A CI that does not exist, and all that another one takes: an object like this one, and its row in `cis`. */
import type { Build } from '../../src/ci/build.ts';
import type { Ci } from '../../src/ci/ci.ts';
import type { Env, Origin } from '../../src/ci/origin.ts';
import { DrayageError } from '../../src/errors.ts';

/** Its jobs are tasks of a voyage. Each attempt of a task has a number, and no ID of its own. */
export const harbour: Ci = {
  name: 'harbour',
  title: 'Harbour',
  buildType: {
    ci: 'harbour',
    uri: 'https://harbour.example/task/v1',
    mergeTriggers: ['offer'],
    jobAt(source, jobUrl) {
      const start = `${source}/tasks/`;
      if (!jobUrl.startsWith(start)) return undefined;
      const jobId = jobUrl.slice(start.length);
      const [pipelineId, , run] = jobId.split('.');
      return { pipelineId, jobId, run };
    },
    isConfiguredBy: (source, identity) => identity.startsWith(`${source}#`),
    serverOf: (issuer) => (issuer === 'https://id.harbour.example' ? 'https://harbour.example' : undefined),
  },
  dotenvLimits: { size: 1000, variables: 5 },
  referenceVariables: ['HARBOUR_VOYAGE'],
  isHere: (env) => env['HARBOUR'] === 'yes',
  readOrigin,
  readBuild,
  readIds,
  gitTag: (env) => env['HARBOUR_TAG'],
};

/** The variables of a task's attempt. */
export function harbourTask(task: string, attempt: number): Record<string, string> {
  return {
    HARBOUR: 'yes',
    HARBOUR_REPO: 'crew/app',
    HARBOUR_VOYAGE: '77',
    HARBOUR_TASK: task,
    HARBOUR_ATTEMPT: String(attempt),
    HARBOUR_BRANCH: 'main',
    HARBOUR_COMMIT: 'c'.repeat(40),
  };
}

function readIds(env: Env): ReturnType<Ci['readIds']> {
  const [voyage, task, attempt] = ['VOYAGE', 'TASK', 'ATTEMPT'].map((name) => env[`HARBOUR_${name}`]);
  const jobId = voyage && task && attempt && `${voyage}.${task}.${attempt}`;
  return { jobId: jobId || undefined, projectId: env['HARBOUR_REPO']?.replace('/', '-') };
}

function readOrigin(env: Env): Origin {
  const read = (name: string): string => {
    const value = env[`HARBOUR_${name}`];
    if (value) return value;
    throw new DrayageError('USAGE', `HARBOUR_${name} is not set`, { reason: 'CI_VARIABLE' });
  };
  const [project, voyage, task, attempt] = [read('REPO'), read('VOYAGE'), read('TASK'), read('ATTEMPT')];
  return {
    ci: 'harbour',
    server: 'https://harbour.example',
    projectPath: project,
    projectId: project,
    projectUrl: `https://harbour.example/${project}`,
    pipelineId: voyage,
    jobId: `${voyage}.${task}.${attempt}`,
    jobName: task,
    run: attempt,
    ref: read('BRANCH'),
    commit: read('COMMIT'),
  };
}

function readBuild(env: Env): Build {
  const origin = readOrigin(env);
  const { projectUrl, ref, jobName, jobId, pipelineId } = origin;
  return {
    origin,
    buildType: harbour.buildType.uri,
    externalParameters: { source: projectUrl, ref: `refs/heads/${ref}`, entryPoint: jobName },
    internalParameters: { pipelineId, quay: 4 },
    builderId: 'https://harbour.example/cranes',
    invocationId: `${projectUrl}/tasks/${jobId}`,
    signer: { issuer: 'https://id.harbour.example', identity: `${projectUrl}#${ref}` },
  };
}
