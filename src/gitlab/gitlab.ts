import type { ContentOptions } from '../content/source.ts';
import type { GitLabOptions } from './api.ts';
import { GitLabApi } from './api.ts';
import type { JobArtifact, OpenArtifactOptions } from './artifact.ts';
import { openArtifact } from './artifact.ts';
import type { FoundJob, JobQuery } from './jobs.ts';
import { findJob } from './jobs.ts';

/** A GitLab instance, as far as it holds artifacts. */
export class GitLab implements AsyncDisposable {
  readonly #api: GitLabApi;

  /** @throws {@link DrayageError} `USAGE` for what is no address of an API */
  constructor(options: GitLabOptions) {
    this.#api = new GitLabApi(options);
  }

  /**
   * Finds the job whose artifact is meant. A job that is given by its ID is not asked for.
   * @throws {@link DrayageError} `NOT_FOUND`, `AMBIGUOUS`, `UNREACHABLE`, `TIMEOUT`
   */
  async findJob(query: JobQuery, options?: ContentOptions): Promise<FoundJob> {
    return findJob(this.#api, query, options);
  }

  /**
   * Opens the artifact of a job. It is to be closed before this.
   * @throws {@link DrayageError} `NOT_FOUND` where there is none, or no layout in it; `UNREACHABLE`, `TIMEOUT`, `MALFORMED`,
   * `LIMIT`, `IO`
   */
  async openArtifact(job: FoundJob, options?: OpenArtifactOptions): Promise<JobArtifact> {
    return openArtifact(this.#api, job, options);
  }

  /** Ends the connections, but for those of a dispatcher that was handed in. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#api[Symbol.asyncDispose]();
  }
}
