import type { TokenKind, GitLabApi } from './api.ts';
import type { FoundJob } from './jobs.ts';
import { projectPath } from './jobs.ts';

/** A route to a job's archive. */
export interface ArchiveRoute {
  path: string;
  as: TokenKind;
}

/**
 * The routes to a job's archive, the best first. The runner's own route needs no licence. The project's routes answer a
 * job token with 404 on an instance without one.
 */
export function archiveRoutes(api: GitLabApi, job: FoundJob): ArchiveRoute[] {
  const routes: ArchiveRoute[] =
    job.kind === 'id' ? byId(job) : both(`${projectPath(job.project)}/jobs/artifacts/${refPath(job)}`);
  return routes.filter(({ as }) => api.has(as));
}

function byId({ jobId, project }: { jobId: string; project: string | undefined }): ArchiveRoute[] {
  const id = encodeURIComponent(jobId);
  const own: ArchiveRoute = { path: `jobs/${id}/artifacts?direct_download=true`, as: 'jobToken' };
  return project === undefined ? [own] : [own, ...both(`${projectPath(project)}/jobs/${id}/artifacts`)];
}

function refPath({ ref, name }: { ref: string; name: string }): string {
  return `${encodeURIComponent(ref)}/download?job=${encodeURIComponent(name)}`;
}

function both(path: string): ArchiveRoute[] {
  return [
    { path, as: 'jobToken' },
    { path, as: 'token' },
  ];
}
