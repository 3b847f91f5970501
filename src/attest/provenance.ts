import type { Claims, Statement } from './claims.ts';
import type { Digest } from '../oci/digest.ts';
import { refusal } from './refusal.ts';
import type { Signer } from './trust.ts';

/** What is known about an image whose signature was accepted. */
export interface Provenance {
  predicateType: string;
  signer: { kind: 'certificate'; identity: string; issuer: string | null } | { kind: 'key'; hint: string };
  /**
   * From the certificate, which its authority has checked; for a key, its holder's claim. Null if neither states it.
   */
  source: string | null;
  commit: string | null;
  ref: string | null;
  /** Address of the job. */
  job: string | null;
  /** Such as `gitlab-hosted` or `self-hosted`; only from certificates. */
  runnerEnvironment: string | null;
  /** The names of the image when it was signed; null if the statement contains none and so covers no name. */
  names: readonly string[] | null;
  /** Blobs of layers that the signer has not read, as the statement says: a base states them. */
  unreadLayers: readonly Digest[];
  /**
   * Whether the signer has read layers. False for an image that stays in a daemon: `unreadLayers` are diffIDs then. False
   * also for a statement in the form of another tool, which does not say.
   */
  layersRead: boolean;
  /** Claims of the job itself, whoever signed. */
  claimed: { jobName: string | null; pipeline: string | null };
}

/**
 * Combines the known facts: for a certificate its own statements, for a key those of the signed statement.
 * @throws {@link DrayageError} `POLICY` if a certificate and the statement that it signs contradict each other
 */
export function provenanceOf({ predicateType, claims }: Statement, signer: Signer): Provenance {
  const names = claims.names ?? null;
  const { unreadLayers = [], layersRead = true } = claims;
  const claimed = { jobName: claims.jobName ?? null, pipeline: claims.pipeline ?? null };
  if (signer.kind === 'key') {
    return {
      predicateType,
      signer: { kind: 'key', hint: signer.hint },
      ...facts(claims),
      runnerEnvironment: null,
      names,
      unreadLayers,
      layersRead,
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
    unreadLayers,
    layersRead,
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
