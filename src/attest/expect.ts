import type { BuildType } from '../ci/build.ts';
import type { ExpectationKey, Expectations } from '../ci/expectations.ts';
import { acceptedFor, originKeys } from '../ci/expectations.ts';
import { DrayageError } from '../errors.ts';
import { PROVENANCE_V1 } from './media-types.ts';
import type { Provenance } from './provenance.ts';
import type { RefusalReason } from '../errors.ts';
import { refusal } from './refusal.ts';
import type { Signer } from './trust.ts';

/** Who may have signed; for certificates. */
export interface ExpectedSigner {
  /** Who vouches for the identity: of a GitLab job, the address of its instance. */
  issuer: string;
  /** Identities that are accepted, each compared letter by letter; or a pattern, which has to fit the whole of one. */
  identity: readonly string[] | RegExp;
}

/** What a signature has to say to be accepted. */
export interface ExpectedProvenance {
  /** Must be there where certificates are trusted: without it, anybody's would do. */
  signer?: ExpectedSigner | undefined;
  /** What is accepted. Without `predicate-type`, SLSA provenance v1. */
  values: Expectations;
  /** The build types that are known: of a statement of another one, no field is believed. */
  buildTypes: readonly BuildType[];
}

/** The predicate types that are accepted. */
export function expectedTypes({ values }: ExpectedProvenance): readonly string[] {
  return acceptedFor(values, 'predicate-type') ?? [PROVENANCE_V1];
}

/**
 * Holds a certificate against who may have signed.
 * @throws {@link DrayageError} `POLICY`; `USAGE` where nobody said who may
 */
export function assertSigner(signer: Signer, { signer: expected }: ExpectedProvenance): void {
  if (signer.kind === 'key') return;
  if (expected === undefined) {
    throw new DrayageError('USAGE', 'whose certificates are accepted? issuer and identity are not stated');
  }
  const { issuer, identity } = expected;
  if (signer.issuer !== issuer) {
    const actual = signer.issuer ?? 'nobody';
    throw refusal('ISSUER', `its identity is vouched for by ${actual}, not by ${issuer}`, {
      expected: issuer,
      actual,
    });
  }
  const isFit =
    identity instanceof RegExp ? isWhole(identity, signer.identity) : identity.includes(signer.identity);
  if (isFit) return;
  const wanted = identity instanceof RegExp ? identity.source : identity.join(' or ');
  throw refusal('IDENTITY', `it is signed by ${signer.identity}, not by ${wanted}`, {
    expected: wanted,
    actual: signer.identity,
  });
}

/** What of itself says which of all pipelines it has to be: one of a merge request may be meant then. */
const ONE_PIPELINE: readonly ExpectationKey[] = ['commit', 'pipeline', 'job-id'];

/**
 * An identity ends with a branch, and a pipeline of a merge request has that of the branch that is to be merged, whose name
 * whoever opens it chooses: `main`, in a fork. The configuration, too, may be that of another project than the one it runs in.
 * @throws {@link DrayageError} `POLICY`
 */
export function assertPipeline(signer: Signer, { values, buildTypes }: ExpectedProvenance): void {
  if (signer.kind === 'key') return;
  const { identity, source, trigger = '' } = signer;
  const isOfMerge = buildTypes.some(({ mergeTriggers }) => mergeTriggers.includes(trigger));
  if (isOfMerge && !ONE_PIPELINE.some((key) => acceptedFor(values, key) !== undefined)) {
    throw refusal(
      'MERGE_REQUEST',
      'it is signed in a pipeline of a merge request, and no commit is expected',
      { actual: trigger, hint: 'expect its commit or pipeline' },
    );
  }
  if (source === undefined || acceptedFor(values, 'project') !== undefined) return;
  if (buildTypes.some((type) => type.isConfiguredBy(source, identity))) return;
  throw refusal('PROJECT', `it is signed in a job of ${source} as ${identity}, and no project is expected`, {
    actual: source,
    hint: 'say which project has to have run the job',
  });
}

/**
 * Holds what is known of an image against what is expected.
 * @throws {@link DrayageError} `POLICY`
 */
export function assertExpected(provenance: Provenance, expected: ExpectedProvenance): void {
  for (const key of [...originKeys, 'runner-environment'] as const) {
    const [check, accepted] = [CHECKS[key], acceptedFor(expected.values, key)];
    if (accepted === undefined) continue;
    if (accepted.some((value) => check.accepts(value, provenance, expected))) continue;
    const actual = check.actual(provenance) ?? undefined;
    throw refusal(
      check.reason,
      `its ${check.name} is ${actual ?? 'not stated'}, not ${accepted.join(' or ')}`,
      { expected: accepted.join(','), actual },
    );
  }
}

interface Check {
  reason: RefusalReason;
  name: string;
  actual: (provenance: Provenance) => string | null;
  accepts: (value: string, provenance: Provenance, expected: ExpectedProvenance) => boolean;
}

/** Types and names are looked at elsewhere. */
const CHECKS: Record<Exclude<ExpectationKey, 'predicate-type' | 'name'>, Check> = {
  server: {
    reason: 'SERVER',
    name: 'project',
    actual: ({ source }) => source,
    accepts: (server, { source }) => source?.startsWith(`${server.replace(/\/$/, '')}/`) === true,
  },
  project: {
    reason: 'PROJECT',
    name: 'project',
    actual: ({ source }) => source,
    accepts: (path, provenance, expected) =>
      bases(provenance, expected).some((base) => provenance.source === `${base}/${path}`),
  },
  commit: equal('COMMIT', 'commit', ({ commit }) => commit),
  ref: {
    reason: 'REF',
    name: 'ref',
    actual: ({ ref }) => ref,
    accepts: (value, { ref }) => [value, `refs/heads/${value}`, `refs/tags/${value}`].includes(ref ?? ''),
  },
  job: equal('JOB', 'job name (claimed)', ({ claimed }) => claimed.jobName),
  'job-id': {
    reason: 'JOB_ID',
    name: 'job',
    actual: ({ job }) => job,
    accepts: (id, { source, job }, { buildTypes }) =>
      source !== null && buildTypes.some((type) => job === type.jobUrl(source, id)),
  },
  pipeline: equal('PIPELINE', 'pipeline (claimed)', ({ claimed }) => claimed.pipeline),
  'runner-environment': equal(
    'RUNNER_ENVIRONMENT',
    'runner environment',
    ({ runnerEnvironment }) => runnerEnvironment,
  ),
};

function equal(
  reason: RefusalReason,
  name: string,
  actual: (provenance: Provenance) => string | null,
): Check {
  return { reason, name, actual, accepts: (value, provenance) => actual(provenance) === value };
}

/**
 * What comes before a project's path in its address, so that `group/app` never fits `other/group/app`: the instance that
 * vouched for the identity; where a key signed, the servers that are expected, else the host.
 */
function bases(
  { signer, source }: Provenance,
  { values, buildTypes }: ExpectedProvenance,
): readonly string[] {
  const issuer = signer.kind === 'certificate' ? signer.issuer : null;
  if (issuer !== null) return buildTypes.flatMap((type) => type.serverOf(issuer) ?? []);
  const servers = acceptedFor(values, 'server')?.map((server) => server.replace(/\/$/, ''));
  return servers ?? [/^https?:\/\/[^/]+/.exec(source ?? '')?.[0] ?? ''];
}

/** Whether a pattern fits a text as a whole; only such flags stay as leave the anchors what they are. */
function isWhole({ source, flags }: RegExp, text: string): boolean {
  return new RegExp(`^(?:${source})$`, flags.replaceAll(/[gmy]/g, '')).test(text);
}
