import type { Claims, Statement } from './claims.ts';
import { refusal } from './refusal.ts';
import type { Signer } from './trust.ts';

/** What is known of an image whose signature was accepted. */
export interface Provenance {
  predicateType: string;
  signer: { kind: 'certificate'; identity: string; issuer: string | null } | { kind: 'key'; hint: string };
  /**
   * What the certificate says, which its authority has checked; or, where a key has signed, what its holder says. Null where
   * neither says anything.
   */
  source: string | null;
  commit: string | null;
  ref: string | null;
  /** Address of the job. */
  job: string | null;
  /** Such as `gitlab-hosted` or `self-hosted`; of certificates only. */
  runnerEnvironment: string | null;
  /** The names that the image had when it was signed; null where the statement speaks of none, so that it covers no name. */
  names: readonly string[] | null;
  /** What only the job itself says, whoever signed. */
  claimed: { jobName: string | null; pipeline: string | null };
}

/**
 * Puts together what is known: of a certificate what it says, of a key what the statement says.
 * @throws {@link DrayageError} `POLICY` where a certificate and the statement that it signs contradict each other
 */
export function provenanceOf({ predicateType, claims }: Statement, signer: Signer): Provenance {
  const names = claims.names ?? null;
  const claimed = { jobName: claims.jobName ?? null, pipeline: claims.pipeline ?? null };
  if (signer.kind === 'key') {
    return {
      predicateType,
      signer: { kind: 'key', hint: signer.hint },
      ...facts(claims),
      runnerEnvironment: null,
      names,
      claimed,
    };
  }
  for (const key of ['source', 'commit', 'ref', 'invocation'] as const) {
    const said = claims[key];
    if (said === undefined || signer[key] === undefined || said === signer[key]) continue;
    const message = `the statement and its certificate differ: ${key} is ${said} and ${signer[key]}`;
    throw refusal('CONTRADICTION', message, { expected: signer[key], actual: said });
  }
  return {
    predicateType,
    signer: { kind: 'certificate', identity: signer.identity, issuer: signer.issuer ?? null },
    ...facts(signer),
    runnerEnvironment: signer.runnerEnvironment ?? null,
    names,
    claimed,
  };
}

function facts({
  source,
  commit,
  ref,
  invocation,
}: Claims): Pick<Provenance, 'source' | 'commit' | 'ref' | 'job'> {
  return { source: source ?? null, commit: commit ?? null, ref: ref ?? null, job: invocation ?? null };
}
