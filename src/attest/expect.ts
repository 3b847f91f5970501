import type { BuildType } from '../ci/build.ts';
import type { ExpectationKey, Expectations } from '../ci/expectations.ts';
import { acceptedFor, originKeys } from '../ci/expectations.ts';
import { cis } from '../cis.ts';
import { DrayageError, isDrayageError, isError } from '../errors.ts';
import { PROVENANCE_V1 } from './media-types.ts';
import type { Provenance } from './provenance.ts';
import type { RefusalReason } from '../errors.ts';
import { refusal } from './refusal.ts';
import { signedJob } from './signed-job.ts';
import type { Signer } from './trust.ts';

/** The accepted signers of certificates. */
export interface ExpectedSigner {
  /** The issuer of the identity: for a GitLab job, the address of its instance. */
  issuer: string;
  /** The accepted identities, each compared exactly; or a pattern, which must match a whole identity. */
  identity: readonly string[] | RegExp;
}

/** What a signature must state to be accepted. */
export interface ExpectedProvenance {
  /** Required if certificates are trusted, because anybody can get one. */
  signer?: ExpectedSigner | undefined;
  /** The accepted values. Without `predicate-type`, SLSA provenance v1. */
  values: Expectations;
  /** The known build types. In a statement of another one, no field is believed. Default: those of all supported CIs. */
  buildTypes?: readonly BuildType[] | undefined;
  /**
   * A policy of your own, for what the values cannot say. Called last. Whatever it throws refuses this signature; so does
   * anything that it returns, such as a promise, since nobody would wait for it.
   */
  accept?: ((provenance: Provenance) => undefined) | undefined;
}

/** The same with its build types. */
export type KnownExpectations = ExpectedProvenance & { buildTypes: readonly BuildType[] };

/** Expectations with the default of their build types. */
export function withBuildTypes(expected: ExpectedProvenance): KnownExpectations {
  const { buildTypes = cis.map(({ buildType }) => buildType) } = expected;
  return { ...expected, buildTypes };
}

/** The accepted predicate types. */
export function expectedTypes({ values }: ExpectedProvenance): readonly string[] {
  return acceptedFor(values, 'predicate-type') ?? [PROVENANCE_V1];
}

/**
 * Compares a certificate with the accepted signers.
 * @throws {@link DrayageError} `POLICY`; `USAGE` if no signer was named
 */
export function assertSigner(signer: Signer, { signer: expected }: ExpectedProvenance): void {
  if (signer.kind === 'key') return;
  if (expected === undefined) {
    throw new DrayageError('USAGE', 'no accepted signer given: issuer and identity are missing');
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

/** Keys that identify one pipeline, which may be that of a merge request. */
const ONE_PIPELINE: readonly ExpectationKey[] = ['commit', 'pipeline', 'job-id'];

/**
 * An identity ends with a branch. In a pipeline of a merge request that is the source branch, whose name its author
 * chooses: `main`, in a fork. The configuration may also belong to another project than the one that runs it.
 * @throws {@link DrayageError} `POLICY`
 */
export function assertPipeline(signer: Signer, { values, buildTypes }: KnownExpectations): void {
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
    hint: 'expect the project of the job',
  });
}

/**
 * Compares the facts about an image with the expectations.
 * @throws {@link DrayageError} `POLICY`
 */
export function assertExpected(provenance: Provenance, expected: KnownExpectations): void {
  for (const key of [...originKeys, 'runner-environment'] as const) {
    const [check, accepted] = [CHECKS[key], acceptedFor(expected.values, key)];
    if (accepted === undefined) continue;
    if (accepted.some((value) => check.accepts(value, provenance, expected))) continue;
    const actual = check.actual(provenance, expected.buildTypes) ?? undefined;
    throw refusal(
      check.reason,
      `its ${check.name} is ${actual ?? 'not stated'}, not ${accepted.join(' or ')}`,
      { expected: accepted.join(','), actual },
    );
  }
  assertAccepted(provenance, expected);
}

/** Asks the caller's own policy. */
function assertAccepted(provenance: Provenance, { accept }: KnownExpectations): void {
  let returned: unknown;
  try {
    returned = accept?.(provenance);
  } catch (cause) {
    if (isDrayageError(cause, 'POLICY')) throw cause;
    const why = isError(cause) ? cause.message : String(cause);
    throw refusal('OWN_POLICY', `the caller's own policy refuses it: ${why}`, { cause });
  }
  if (returned === undefined) return;
  // A rejection that nobody handles would end the process.
  void Promise.resolve(returned).catch(() => undefined);
  throw refusal('OWN_POLICY', "the caller's own policy returned a value instead of deciding", {
    hint: 'it accepts by returning nothing, refuses by throwing, and cannot be async',
  });
}

interface Check {
  reason: RefusalReason;
  name: string;
  actual: (provenance: Provenance, buildTypes: readonly BuildType[]) => string | null;
  accepts: (value: string, provenance: Provenance, expected: KnownExpectations) => boolean;
}

/** Types and names are checked elsewhere. */
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
    actual: (provenance, buildTypes) => signedJob(provenance, buildTypes)?.jobId ?? provenance.job,
    accepts: (id, provenance, { buildTypes }) => signedJob(provenance, buildTypes)?.jobId === id,
  },
  pipeline: {
    reason: 'PIPELINE',
    name: 'pipeline (claimed)',
    actual: pipelineOf,
    accepts: (id, provenance, { buildTypes }) => pipelineOf(provenance, buildTypes) === id,
  },
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

/** The pipeline: from the address of the job if that states it, otherwise a claim. */
function pipelineOf(provenance: Provenance, buildTypes: readonly BuildType[]): string | null {
  return signedJob(provenance, buildTypes)?.pipelineId ?? provenance.claimed.pipeline;
}

/**
 * The prefixes of a project's address before its path, so that `group/app` never matches `other/group/app`. For a
 * certificate that is the instance that vouched for the identity; for a key the expected servers, else the host.
 */
function bases({ signer, source }: Provenance, { values, buildTypes }: KnownExpectations): readonly string[] {
  const issuer = signer.kind === 'certificate' ? signer.issuer : null;
  if (issuer !== null) return buildTypes.flatMap((type) => type.serverOf(issuer) ?? []);
  const servers = acceptedFor(values, 'server')?.map((server) => server.replace(/\/$/, ''));
  return servers ?? [/^https?:\/\/[^/]+/.exec(source ?? '')?.[0] ?? ''];
}

/** Whether a pattern matches a whole text. Only flags that do not change the anchors are kept. */
function isWhole({ source, flags }: RegExp, text: string): boolean {
  return new RegExp(`^(?:${source})$`, flags.replaceAll(/[gmy]/g, '')).test(text);
}
