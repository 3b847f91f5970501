import type { ContentOptions } from '../content/source.ts';
import { currentBudget } from '../budget.ts';
import { DrayageError, isDrayageError } from '../errors.ts';
import type { GitLabApi } from './api.ts';
import { ArchiveLocation } from './archive-location.ts';
import { archiveRoutes } from './archive-routes.ts';
import type { ArtifactFiles } from './artifact-files.ts';
import { ArtifactLayout, isLayoutFolder, layoutFolders } from './artifact-layout.ts';
import { DownloadedFile } from './downloaded-file.ts';
import type { FoundJob } from './jobs.ts';
import { NO_ARTIFACT } from './jobs.ts';
import { RemoteFile } from './remote-file.ts';
import { SingleFiles } from './single-files.ts';
import { ZipFiles } from './zip-files.ts';

/** Options of `openArtifact`. */
export interface OpenArtifactOptions extends ContentOptions {
  /**
   * A folder for the archive if its server serves no ranges: then the archive is downloaded whole, once. Without this
   * folder, such a server is an error.
   */
  temporary?: string | undefined;
}

/** The layouts inside a job's artifact. Blobs are read in place, on request. */
export class JobArtifact implements AsyncDisposable {
  /** The job's own layout, `.drayage/<job id>`, if the artifact contains it; otherwise every layout in it. */
  readonly layouts: readonly ArtifactLayout[];
  readonly #files: ArtifactFiles;

  constructor(files: ArtifactFiles, layouts: readonly ArtifactLayout[]) {
    this.#files = files;
    this.layouts = layouts;
  }

  /** The layout in a folder of the artifact, whether or not it is among {@link layouts}; undefined for none. */
  layoutAt(folder: string): ArtifactLayout | undefined {
    const known = this.layouts.find((layout) => layout.folder === folder);
    if (known !== undefined || !isLayoutFolder(this.#files, folder)) return known;
    return new ArtifactLayout({ files: this.#files, folder });
  }

  /** Whether another artifact has the same files, by their names and sizes. */
  hasSameFiles(other: JobArtifact): boolean {
    const [own, others] = [this.#files.sizes, other.#files.sizes];
    return own.size === others.size && [...own].every(([path, size]) => others.get(path) === size);
  }

  /** Closes everything. Removes a downloaded file. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#files[Symbol.asyncDispose]();
  }
}

/**
 * Opens a job's artifact: by ranges of the archive, otherwise file by file, otherwise by downloading the archive.
 * @throws {@link DrayageError} `NOT_FOUND` if there is no artifact, or no layout in it; `UNREACHABLE`, `TIMEOUT`,
 * `MALFORMED`, `LIMIT`, `IO`
 */
export async function openArtifact(
  api: GitLabApi,
  job: FoundJob,
  options: OpenArtifactOptions = {},
): Promise<JobArtifact> {
  const files = await openFiles(api, job, options);
  try {
    const folders = layoutFolders(files);
    const own = folders.filter((folder) => job.kind === 'id' && folder === `.drayage/${job.jobId}`);
    const chosen = own.length > 0 ? own : folders;
    if (chosen.length === 0) throw noLayout(files);
    currentBudget()?.spend('layouts', chosen.length);
    return new JobArtifact(
      files,
      chosen.map((folder) => new ArtifactLayout({ files, folder })),
    );
  } catch (error) {
    await files[Symbol.asyncDispose]();
    throw error;
  }
}

async function openFiles(
  api: GitLabApi,
  job: FoundJob,
  options: OpenArtifactOptions,
): Promise<ArtifactFiles> {
  const { location, file } = await locate(api, job, options);
  if (file !== undefined) return ZipFiles.open(file, options);
  const single = await SingleFiles.open(api, job, options);
  if (single !== undefined) return single;
  if (options.temporary === undefined) {
    throw new DrayageError('UNSUPPORTED', `${location.name} serves no ranges of the artifact`, {
      url: location.name,
      hint: 'name a folder for the whole archive',
    });
  }
  return ZipFiles.open(await DownloadedFile.download(api, location, options.temporary, options), options);
}

/** Finds a route that serves the archive. Without a single file to test, the archive can only be read whole. */
async function locate(
  api: GitLabApi,
  job: FoundJob,
  options: ContentOptions,
): Promise<{ location: ArchiveLocation; file: RemoteFile | undefined }> {
  const refusals: DrayageError[] = [];
  for (const route of archiveRoutes(api, job)) {
    const location = new ArchiveLocation(api, route);
    try {
      return { location, file: await RemoteFile.open(api, location, options) };
    } catch (error) {
      const { status } = isDrayageError(error) ? error.facts : {};
      if (!isDrayageError(error) || ![400, 401, 403, 404, 410].includes(status ?? 0)) throw error;
      refusals.push(error);
    }
  }
  throw noArtifact(job, refusals);
}

function noArtifact(job: FoundJob, refusals: readonly DrayageError[]): DrayageError {
  const what = job.kind === 'id' ? `job ${job.jobId}` : `job ${job.name} of ${job.ref}`;
  const [first] = refusals;
  if (first === undefined) {
    return new DrayageError('DENIED', `no token for the artifact of ${what}`, {
      reason: 'TOKEN_MISSING',
      hint: 'every job has CI_JOB_TOKEN',
    });
  }
  // If one route refuses the token, a 404 of another route does not prove that the artifact is absent.
  const worst = refusals.find(({ code }) => code !== 'NOT_FOUND') ?? first;
  const absent = worst.code === 'NOT_FOUND';
  const message = absent ? `no artifact of ${what}` : `cannot get the artifact of ${what}`;
  return new DrayageError(worst.code, `${message}: ${worst.message}`, {
    ...worst.facts,
    cause: worst,
    ...(absent && {
      hint: `${NO_ARTIFACT}; or the token may not see the project, whose job token allowlist has to name this one`,
    }),
  });
}

function noLayout(files: ArtifactFiles): DrayageError {
  return new DrayageError('NOT_FOUND', `no image layout in the artifact ${files.name}`, {
    url: files.name,
    hint: NO_ARTIFACT,
  });
}
