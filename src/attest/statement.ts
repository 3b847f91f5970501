import type { Build } from '../ci/build.ts';
import type { Digest } from '../oci/digest.ts';
import { digestAlgorithm, digestHex } from '../oci/digest.ts';
import { familiarRepository, parseReference } from '../oci/reference.ts';
import { PROVENANCE_V1, STATEMENT_V1 } from './media-types.ts';

/** The image of a statement. */
export interface AttestedImage {
  /** The digest of its manifest, or of its index: it is signed. */
  digest: Digest;
  /** Config digests: one, or one for each image of an index. */
  ids: readonly Digest[];
  /** Familiar references, `temp:latest`. */
  names: readonly string[];
  /**
   * Blobs of layers that the signer has not read: a base that the user named states them, or they are non-distributable and
   * were absent. Default: none.
   */
  unreadLayers?: readonly Digest[] | undefined;
  /**
   * Whether `digest` is that of a reference to an image that stays in a daemon: the config digest is a subject, too, and no
   * layer was read; `unreadLayers` are diffIDs then. Default false.
   */
  isReference?: boolean | undefined;
}

/** The content of a statement besides the image and the job. */
export interface StatementOptions {
  /** When the build ended: now. */
  finishedAt: Date;
  /** The version of drayage. Default: the statement names none. */
  version?: string | undefined;
}

/** Makes the statement about an image that is signed. */
export type MakeStatement = (image: AttestedImage, options: Pick<StatementOptions, 'finishedAt'>) => Buffer;

/** Makes statements of a build: SLSA provenance v1. */
export function provenanceOfBuild(
  build: Build,
  { version }: Pick<StatementOptions, 'version'> = {},
): MakeStatement {
  return (image, { finishedAt }) => provenanceStatement(image, build, { finishedAt, version });
}

/**
 * Makes the statement that a job built an image: an in-toto Statement v1 with SLSA provenance v1
 * (slsa.dev/spec/v1.0/provenance).
 * @returns the statement's bytes, which are signed
 */
export function provenanceStatement(image: AttestedImage, build: Build, options: StatementOptions): Buffer {
  const statement = {
    _type: STATEMENT_V1,
    subject: [image.digest, ...(image.isReference === true ? image.ids : [])].map((digest) => ({
      name: subjectName(image),
      digest: digestSet(digest),
    })),
    predicateType: PROVENANCE_V1,
    predicate: {
      buildDefinition: buildDefinition(image, build),
      runDetails: runDetails(image, build, options),
    },
  };
  return Buffer.from(JSON.stringify(statement));
}

function buildDefinition(
  { names, unreadLayers = [], isReference = false }: AttestedImage,
  build: Build,
): object {
  const { source, ref } = build.externalParameters;
  return {
    buildType: build.buildType,
    externalParameters: { ...build.externalParameters, imageRefs: names },
    internalParameters: {
      ...build.internalParameters,
      ...(unreadLayers.length > 0 && { unreadLayers }),
      ...(isReference && { layersRead: false }),
    },
    resolvedDependencies: [{ uri: `git+${source}@${ref}`, digest: { gitCommit: build.origin.commit } }],
  };
}

function runDetails({ ids }: AttestedImage, build: Build, options: StatementOptions): object {
  return {
    builder: {
      id: build.builderId,
      ...(options.version !== undefined && { version: { drayage: options.version } }),
    },
    metadata: {
      invocationId: build.invocationId,
      startedOn: build.startedOn,
      finishedOn: options.finishedAt.toISOString(),
    },
    byproducts: ids.map((id) => ({ name: 'image-id', digest: digestSet(id) })),
  };
}

/** The repository of its first name, without a tag, because tags move. */
function subjectName({ names: [name] }: AttestedImage): string {
  return name === undefined ? 'image' : familiarRepository(parseReference(name));
}

/** A digest in in-toto's form: `{"sha256": "…"}`. */
function digestSet(digest: Digest): Record<string, string> {
  return { [digestAlgorithm(digest)]: digestHex(digest) };
}
