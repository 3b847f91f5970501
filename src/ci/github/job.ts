import * as v from 'valibot';
import type { AddressedJob } from '../build.ts';
import { digestHex, digestOf } from '../../oci/digest.ts';
import type { Env, Origin } from '../origin.ts';
import { MAX_JOB_ID } from '../ci.ts';
import {
  addressVariable,
  commitVariable,
  idVariable,
  readVariables,
  textVariable,
} from '../read-variables.ts';

/** GitHub's name in annotations. */
export const GITHUB = 'github';

/** How errors call it, and what a job can do about its variables. */
export const GITHUB_JOB = {
  title: 'GitHub Actions',
  hint: 'pass on every GITHUB_* variable; or GITHUB_ACTIONS= with no value, to work as outside a job',
};

/** Digits of a hash that stands for a long key: enough that nobody finds two keys with one hash. */
const HASH_LENGTH = 32;

/** A job's key in its workflow. */
const jobKey = v.pipe(v.string(), v.regex(/^[A-Za-z_][\w-]*$/));
/** An address without a path. */
const server = v.pipe(addressVariable, v.regex(/^[^/]+\/\/[^/]+$/));
const repository = v.pipe(v.string(), v.regex(/^[\w.-]+\/[\w.-]+$/));

const variables = v.object({
  GITHUB_SERVER_URL: server,
  GITHUB_REPOSITORY: repository,
  GITHUB_REPOSITORY_ID: idVariable,
  GITHUB_RUN_ID: idVariable,
  GITHUB_RUN_ATTEMPT: idVariable,
  GITHUB_JOB: jobKey,
  GITHUB_REF_NAME: textVariable,
  GITHUB_SHA: commitVariable,
});

/**
 * Reads the identity of this job. Its ID is `<run>.<job>.<attempt>`, as no variable holds GitHub's own; the jobs of a
 * matrix share it.
 * @throws {@link DrayageError} `USAGE` naming the variable that is absent or malformed
 */
export function readOrigin(env: Env): Origin & { jobUrl: string } {
  const found = readVariables(variables, env, GITHUB_JOB);
  const { GITHUB_RUN_ID: run, GITHUB_JOB: job, GITHUB_RUN_ATTEMPT: attempt } = found;
  const projectUrl = `${found.GITHUB_SERVER_URL}/${found.GITHUB_REPOSITORY}`;
  return {
    ci: GITHUB,
    server: found.GITHUB_SERVER_URL,
    projectPath: found.GITHUB_REPOSITORY,
    projectId: found.GITHUB_REPOSITORY_ID,
    projectUrl,
    pipelineId: run,
    jobId: jobIdOf(run, job, attempt),
    jobName: job,
    jobUrl: attemptUrl(projectUrl, run, attempt),
    run: attempt,
    ref: found.GITHUB_REF_NAME,
    commit: found.GITHUB_SHA,
  };
}

/** The IDs of job, repository and workflow run, each if it is set. */
export function readIds(env: Env): { jobId?: string; projectId?: string; pipelineId?: string } {
  const idOf = (name: string): string | undefined => (v.is(idVariable, env[name]) ? env[name] : undefined);
  const [run, attempt, projectId] = ['GITHUB_RUN_ID', 'GITHUB_RUN_ATTEMPT', 'GITHUB_REPOSITORY_ID'].map(idOf);
  const job = v.is(jobKey, env['GITHUB_JOB']) ? env['GITHUB_JOB'] : undefined;
  const isJob = run !== undefined && job !== undefined && attempt !== undefined;
  return { jobId: isJob ? jobIdOf(run, job, attempt) : undefined, projectId, pipelineId: run };
}

/**
 * The inverse of the address and the ID that {@link readOrigin} makes. All jobs of an attempt have one address, so the
 * ID also needs the job's key.
 */
export function jobAt(source: string, jobUrl: string, jobName: string | undefined): AddressedJob | undefined {
  const [, run, attempt] = /\/(\d+)\/attempts\/(\d+)$/.exec(jobUrl) ?? [];
  if (run === undefined || attempt === undefined || jobUrl !== attemptUrl(source, run, attempt))
    return undefined;
  const jobId = v.is(jobKey, jobName) ? jobIdOf(run, jobName, attempt) : undefined;
  return { pipelineId: run, jobId, run: attempt };
}

/** The page of the attempt in which a job ran: `https://github.example/group/app/actions/runs/77/attempts/2`. */
function attemptUrl(projectUrl: string, run: string, attempt: string): string {
  return `${projectUrl}/actions/runs/${run}/attempts/${attempt}`;
}

/**
 * Leases take letters, digits, dots and underscores. A key that makes the ID too long is there by its hash. The dots of a
 * key come in pairs, so no key equals a hash.
 */
function jobIdOf(run: string, job: string, attempt: string): string {
  const id = `${run}.${job.replaceAll('-', '..')}.${attempt}`;
  if (id.length <= MAX_JOB_ID) return id;
  const hash = digestHex(digestOf(Buffer.from(job))).slice(0, HASH_LENGTH);
  return `${run}.sha256.${hash}.${attempt}`;
}
