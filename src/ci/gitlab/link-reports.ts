import type { GitLabJob } from './job.ts';

/** What a link of the report is about. */
export interface ReportedLink {
  /** An image's name, or its unique tag. */
  label: string;
  /** Path in the job's artifacts, with `/` between folders. */
  folder: string;
}

/**
 * The report of `artifacts:reports:annotations` (GitLab 16.3): links on the job's page into its own artifacts. Empty where the
 * job's address is not known.
 */
export function formatAnnotationsReport(job: GitLabJob, links: readonly ReportedLink[]): string {
  const { jobUrl } = job;
  const external = jobUrl === undefined ? [] : links.map((link) => ({ external_link: linkOf(jobUrl, link) }));
  return `${JSON.stringify({ drayage: external })}\n`;
}

/**
 * The report of a job that has put images into the project's container registry: links to that registry's page.
 * @param references `registry.example/group/app:1.2`
 */
export function formatRegistryReport({ projectUrl }: GitLabJob, references: readonly string[]): string {
  const url = `${projectUrl}/container_registry`;
  return `${JSON.stringify({ drayage: references.map((label) => ({ external_link: { label, url } })) })}\n`;
}

function linkOf(jobUrl: string, { label, folder }: ReportedLink): { label: string; url: string } {
  const path = folder.split('/').map(encodeURIComponent).join('/');
  return { label, url: `${jobUrl}/artifacts/browse/${path}/` };
}
