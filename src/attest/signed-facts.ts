import type { BuildType } from '../ci/build.ts';
import { originAnnotations } from '../ci/origin.ts';
import type { SignedFacts } from '../content/policy.ts';
import type { Provenance } from './provenance.ts';

/** What an accepted signature states about an image, as far as the place of the image states it, too. */
export function signedFacts(provenance: Provenance, buildTypes: readonly BuildType[]): SignedFacts {
  const { names, unreadLayers, layersRead } = provenance;
  return { names, unreadLayers, layersRead, origin: signedOrigin(provenance, buildTypes) };
}

/** The job that signed, as annotations; empty if no known build type has such a job. */
function signedOrigin(
  { signer, source, commit, ref, job, claimed }: Provenance,
  buildTypes: readonly BuildType[],
): Record<string, string> {
  if (source === null || job === null) return {};
  for (const type of buildTypes) {
    const jobId = jobIdOf(type, source, job);
    if (jobId === undefined) continue;
    const issuer = signer.kind === 'certificate' ? signer.issuer : null;
    const server = (issuer === null ? undefined : type.serverOf(issuer)) ?? hostOf(source);
    const stated = originAnnotations({
      ci: type.ci,
      server,
      projectPath: source.slice(server.length + 1),
      projectId: '',
      projectUrl: source,
      pipelineId: claimed.pipeline ?? '',
      jobId,
      jobName: claimed.jobName ?? '',
      run: type.runOf?.(jobId),
      ref: ref?.replace(/^refs\/(?:heads|tags)\//, '') ?? '',
      commit: commit ?? '',
    });
    return Object.fromEntries(Object.entries(stated).filter(([, value]) => value !== ''));
  }
  return {};
}

/** The ID in a job's address, if a build type makes such addresses. */
function jobIdOf(type: BuildType, source: string, job: string): string | undefined {
  const [start = '', end = ''] = type.jobUrl(source, '\0').split('\0');
  const id = job.slice(start.length, job.length - end.length);
  return id !== '' && job === type.jobUrl(source, id) ? id : undefined;
}

function hostOf(source: string): string {
  return /^https?:\/\/[^/]+/.exec(source)?.[0] ?? '';
}
