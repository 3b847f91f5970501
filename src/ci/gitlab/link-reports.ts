import type { ReportedLink } from '../ci.ts';
import type { Env, Origin } from '../origin.ts';

/**
 * The report of `artifacts:reports:annotations` (GitLab 16.3): links on the job's page into its own artifacts. Empty if
 * the job's address is unknown.
 */
export function artifactLinks({ jobUrl }: Origin, links: readonly ReportedLink[]): string {
  return format(jobUrl === undefined ? [] : links.map((link) => linkOf(jobUrl, link)));
}

/** The report of a job that promoted images into the project's container registry: links to that registry's page. */
export function registryLinks({ projectUrl }: Origin, references: readonly string[], env: Env): string {
  const registry = env['CI_REGISTRY'];
  const own = registry ? references.filter((reference) => reference.startsWith(`${registry}/`)) : [];
  return format(own.map((label) => ({ label, url: `${projectUrl}/container_registry` })));
}

function format(links: readonly { label: string; url: string }[]): string {
  return `${JSON.stringify({ drayage: links.map((link) => ({ external_link: link })) })}\n`;
}

function linkOf(jobUrl: string, { label, folder }: ReportedLink): { label: string; url: string } {
  const path = folder.split('/').map(encodeURIComponent).join('/');
  return { label, url: `${jobUrl}/artifacts/browse/${path}/` };
}
