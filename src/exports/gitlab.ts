/**
 * GitLab: jobs, their artifacts, and what a job's variables say.
 * @module drayage/gitlab
 */
import '../disposal.ts';
export type { Ci, ReportedLink } from '../ci/ci.ts';
export type { Env, Origin } from '../ci/origin.ts';
export { cis } from '../cis.ts';
export type { ErrorCode, ErrorFacts } from '../errors.ts';
export { DrayageError, isDrayageError } from '../errors.ts';
export type { GitLabOptions } from '../gitlab/api.ts';
export type { ArtifactLayout } from '../gitlab/artifact-layout.ts';
export type { ArtifactLimit } from '../gitlab/artifact-limit.ts';
export type { JobArtifact, OpenArtifactOptions } from '../gitlab/artifact.ts';
export { GitLab } from '../gitlab/gitlab.ts';
export type { FindJobOptions, FoundJob, JobQuery, ListedJob, ListedJobs } from '../gitlab/jobs.ts';
export type { LocatedArtifact } from '../gitlab/locate-artifact.ts';
export type { HttpDispatcher } from '../http/http.ts';
export type { RetryOptions } from '../http/retry.ts';
