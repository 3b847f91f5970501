import type { BuildType } from '../ci/build.ts';
import { originAnnotations } from '../ci/origin.ts';
import type { SignedFacts } from '../content/policy.ts';
import type { Provenance } from './provenance.ts';
import { signedJob } from './signed-job.ts';

/** What an accepted signature states about an image, as far as the place of the image states it, too. */
export function signedFacts(provenance: Provenance, buildTypes: readonly BuildType[]): SignedFacts {
  const { names, unreadLayers, layersRead } = provenance;
  return { names, unreadLayers, layersRead, origin: signedOrigin(provenance, buildTypes) };
}

/** The job that signed, as annotations; empty if no known build type has such a job. */
function signedOrigin(provenance: Provenance, buildTypes: readonly BuildType[]): Record<string, string> {
  const { signer, source, commit, ref, claimed } = provenance;
  const job = signedJob(provenance, buildTypes);
  if (source === null || job === undefined) return {};
  const issuer = signer.kind === 'certificate' ? signer.issuer : null;
  const server = (issuer === null ? undefined : job.type.serverOf(issuer)) ?? hostOf(source);
  const stated = originAnnotations({
    ci: job.type.ci,
    server,
    projectPath: source.slice(server.length + 1),
    projectId: '',
    projectUrl: source,
    pipelineId: job.pipelineId ?? claimed.pipeline ?? '',
    jobId: job.jobId ?? '',
    jobName: claimed.jobName ?? '',
    run: job.run,
    ref: ref?.replace(/^refs\/(?:heads|tags)\//, '') ?? '',
    commit: commit ?? '',
  });
  return Object.fromEntries(Object.entries(stated).filter(([, value]) => value !== ''));
}

function hostOf(source: string): string {
  return /^https?:\/\/[^/]+/.exec(source)?.[0] ?? '';
}
