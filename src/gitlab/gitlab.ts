import type { ContentOptions } from '../content/source.ts';
import type { GitLabOptions } from './api.ts';
import { GitLabApi } from './api.ts';
import type { JobArtifact, OpenArtifactOptions } from './artifact.ts';
import { openArtifact } from './artifact.ts';
import type { ArtifactLimit } from './artifact-limit.ts';
import { readArtifactLimit } from './artifact-limit.ts';
import type { LocatedArtifact } from './locate-artifact.ts';
import { locateArtifact } from './locate-artifact.ts';
import type { FindJobOptions, FoundJob, JobQuery } from './jobs.ts';
import { findJob } from './jobs.ts';

/**
 * The artifacts of a GitLab instance.
 * @example
 * ```ts
 * import { fetchImages, GitLab } from 'drayage';
 *
 * await using gitlab = new GitLab({ url: gitlabUrl, token });
 * const job = await gitlab.findJob({ jobId: '123', project: '12' });
 * await using artifact = await gitlab.openArtifact(job);
 * await fetchImages({ from: artifact.layouts, to: empty });
 * ```
 */
export class GitLab implements AsyncDisposable {
  readonly #api: GitLabApi;

  /** @throws {@link DrayageError} `USAGE` if the address is not that of an API */
  constructor(options: GitLabOptions) {
    this.#api = new GitLabApi(options);
  }

  /**
   * Finds the job whose artifact is wanted. A job given by its ID is not looked up.
   * @throws {@link DrayageError} `NOT_FOUND`, `AMBIGUOUS`, `UNREACHABLE`, `TIMEOUT`
   */
  async findJob(query: JobQuery, options?: FindJobOptions): Promise<FoundJob> {
    return findJob(this.#api, query, options);
  }

  /**
   * Opens the artifact of a job. Close it before closing this.
   * @throws {@link DrayageError} `NOT_FOUND` if there is no artifact, or no layout in it; `UNREACHABLE`, `TIMEOUT`,
   * `MALFORMED`, `LIMIT`, `IO`
   */
  async openArtifact(job: FoundJob, options?: OpenArtifactOptions): Promise<JobArtifact> {
    return openArtifact(this.#api, job, options);
  }

  /**
   * Opens the artifact of a job so that others can find it again: by its ID. Close it before closing this.
   * @throws {@link DrayageError} as {@link findJob} and {@link openArtifact}; `UNSUPPORTED` if the ID of a job that was
   * named by a branch cannot be determined
   */
  async locateArtifact(
    query: JobQuery,
    options?: OpenArtifactOptions & FindJobOptions,
  ): Promise<LocatedArtifact> {
    return locateArtifact(this.#api, query, options);
  }

  /**
   * The largest archive of artifacts that is accepted from a project, given by its ID or path.
   * @returns undefined if it is not shown: GitLab shows it to tokens of administrators only
   * @throws {@link DrayageError} `UNREACHABLE`, `TIMEOUT`, `MALFORMED`
   */
  async artifactLimit(project: string, options?: ContentOptions): Promise<ArtifactLimit | undefined> {
    return readArtifactLimit(this.#api, project, options);
  }

  /** Closes the connections. A dispatcher from the options stays open. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#api[Symbol.asyncDispose]();
  }
}
