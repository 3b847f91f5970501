import * as v from 'valibot';
import type { BuildType } from '../ci/build.ts';
import type { Digest } from '../oci/digest.ts';
import { digestAlgorithm, digestHex } from '../oci/digest.ts';
import { documentObject } from '../oci/keys.ts';
import { digestSchema } from '../oci/parse.ts';
import { IN_TOTO_PAYLOAD, PROVENANCE_V1, STATEMENT_V1 } from './media-types.ts';
import { refusal } from './refusal.ts';
import { parse } from './shape.ts';

/** A statement's claims about a build. Only the signer vouches for them. */
export interface Claims {
  /** The project's address. */
  source?: string;
  commit?: string;
  /** The full name of the ref. */
  ref?: string;
  jobName?: string;
  /** Address of the job. */
  invocation?: string;
  pipeline?: string;
  /** The names of the image when it was signed; undefined if the statement contains no names. */
  names?: readonly string[];
  /** Blobs of layers that the signer has not read; undefined if the statement does not say. */
  unreadLayers?: readonly Digest[] | undefined;
  /** False if the signer has read no layer; undefined if the statement does not say. */
  layersRead?: boolean | undefined;
}

/** The statements that are read. */
export interface ReadableTypes {
  /** The accepted predicate types. */
  predicateTypes: readonly string[];
  /** The build types with known fields. */
  buildTypes: readonly BuildType[];
}

/** A parsed statement. */
export interface Statement {
  predicateType: string;
  claims: Claims;
}

/** The claims of a statement in a form of another tool, whose signer may have read no layer. */
const UNKNOWN: Claims = { layersRead: false };

const MAX_SUBJECTS = 64;
/** The maximum number of names of one image. */
const MAX_NAMES = 1024;
/** The maximum number of layers of one image that its signer has not read. */
const MAX_LAYERS = 4096;
/** The version before v1; its subject is the same. */
const STATEMENT_V01 = 'https://in-toto.io/Statement/v0.1';

const text = v.pipe(v.string(), v.maxLength(4096));
const statementSchema = documentObject({
  _type: text,
  predicateType: text,
  subject: v.array(documentObject({ digest: v.record(v.string(), text) })),
  predicate: v.optional(v.unknown()),
});
const predicateSchema = documentObject({
  buildDefinition: documentObject({
    buildType: text,
    externalParameters: documentObject({
      source: text,
      ref: text,
      entryPoint: text,
      imageRefs: v.pipe(v.array(text), v.maxLength(MAX_NAMES)),
    }),
    internalParameters: documentObject({
      pipelineId: text,
      unreadLayers: v.optional(v.pipe(v.array(digestSchema), v.maxLength(MAX_LAYERS))),
      layersRead: v.optional(v.boolean()),
    }),
    resolvedDependencies: v.array(documentObject({ digest: documentObject({ gitCommit: text }) })),
  }),
  // cosign rewrites predicates in another spelling.
  runDetails: documentObject({
    metadata: documentObject({ invocationId: v.optional(text), invocationID: v.optional(text) }),
  }),
});
const buildTypeSchema = documentObject({ buildDefinition: documentObject({ buildType: text }) });

/**
 * Parses the signed document: an in-toto statement about this content.
 * @throws {@link DrayageError} `POLICY`
 */
export function readStatement(
  payloadType: string,
  payload: Buffer,
  subject: Digest,
  { predicateTypes, buildTypes }: ReadableTypes,
): Statement {
  if (payloadType !== IN_TOTO_PAYLOAD) {
    throw refusal('PAYLOAD_TYPE', `the signed document is a ${payloadType}, not a statement`);
  }
  const result = v.safeParse(statementSchema, parse(payload, 'STATEMENT'), { abortEarly: true });
  if (!result.success) {
    const [issue] = result.issues;
    throw refusal('STATEMENT', `the statement is malformed: ${v.getDotPath(issue) ?? ''}: ${issue.message}`);
  }
  const { _type: type, predicateType, subject: subjects, predicate } = result.output;
  if (type !== STATEMENT_V1 && type !== STATEMENT_V01) {
    throw refusal('STATEMENT_TYPE', `the statement is a ${type}`, { expected: STATEMENT_V1, actual: type });
  }
  if (subjects.length > MAX_SUBJECTS) {
    throw refusal(
      'SUBJECT_COUNT',
      `the statement has ${subjects.length} subjects, over the limit of ${MAX_SUBJECTS}`,
    );
  }
  const digests = subjects.map(({ digest }) => digest[digestAlgorithm(subject)]);
  if (!digests.includes(digestHex(subject))) {
    throw refusal('SUBJECT', `the statement is about other content than ${subject}`, { digest: subject });
  }
  if (!predicateTypes.includes(predicateType)) {
    throw refusal(
      'PREDICATE_TYPE',
      `the statement says ${predicateType}, not ${predicateTypes.join(' or ')}`,
      {
        expected: predicateTypes.join(','),
        actual: predicateType,
      },
    );
  }
  const claims = predicateType === PROVENANCE_V1 ? readClaims(predicate, buildTypes) : UNKNOWN;
  return { predicateType, claims };
}

/** The fields of an unknown build type may mean anything, so none is read. */
function readClaims(predicate: unknown, buildTypes: readonly BuildType[]): Claims {
  const kind = v.safeParse(buildTypeSchema, predicate);
  if (!kind.success) throw refusal('PREDICATE', 'the provenance states no build type');
  const { buildType } = kind.output.buildDefinition;
  if (!buildTypes.some(({ uri }) => uri === buildType)) return UNKNOWN;
  const result = v.safeParse(predicateSchema, predicate, { abortEarly: true });
  if (!result.success) {
    const [issue] = result.issues;
    throw refusal('PREDICATE', `the provenance is malformed: ${v.getDotPath(issue) ?? ''}: ${issue.message}`);
  }
  const { buildDefinition, runDetails } = result.output;
  const { externalParameters, internalParameters, resolvedDependencies } = buildDefinition;
  return {
    source: externalParameters.source,
    ref: externalParameters.ref,
    jobName: externalParameters.entryPoint,
    commit: resolvedDependencies[0]?.digest.gitCommit,
    invocation: runDetails.metadata.invocationId ?? runDetails.metadata.invocationID,
    pipeline: internalParameters.pipelineId,
    unreadLayers: internalParameters.unreadLayers,
    layersRead: internalParameters.layersRead,
    names: externalParameters.imageRefs,
  };
}
