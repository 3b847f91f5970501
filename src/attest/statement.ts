import type { GitLabBuild } from '../ci/gitlab/build.ts';
import type { Digest } from '../oci/digest.ts';
import { digestAlgorithm, digestHex } from '../oci/digest.ts';
import { familiarRepository, parseReference } from '../oci/reference.ts';
import { GITLAB_JOB_BUILD, PROVENANCE_V1, STATEMENT_V1 } from './media-types.ts';

/** An image that a statement is about. */
export interface AttestedImage {
  /** Of its manifest, or of its index: what is signed. */
  digest: Digest;
  /** Config digests: one, or one for each image of an index. */
  ids: readonly Digest[];
  /** Familiar references, `temp:latest`. */
  names: readonly string[];
}

/** What a statement says beside the image and the job. */
export interface StatementOptions {
  /** When the build was over: now. */
  finishedAt: Date;
  /** Of drayage. */
  version: string;
}

/**
 * Says which job built an image: an in-toto Statement v1 with SLSA provenance v1 (slsa.dev/spec/v1.0/provenance), of the build
 * type in docs/build-type.md. Nothing else of the environment is in it.
 * @returns the statement's bytes, which are what is signed
 */
export function provenanceStatement(
  image: AttestedImage,
  build: GitLabBuild,
  options: StatementOptions,
): Buffer {
  const statement = {
    _type: STATEMENT_V1,
    subject: [{ name: subjectName(image), digest: digestSet(image.digest) }],
    predicateType: PROVENANCE_V1,
    predicate: {
      buildDefinition: buildDefinition(image, build),
      runDetails: runDetails(image, build, options),
    },
  };
  return Buffer.from(JSON.stringify(statement));
}

function buildDefinition(image: AttestedImage, build: GitLabBuild): object {
  return {
    buildType: GITLAB_JOB_BUILD,
    externalParameters: {
      source: build.projectUrl,
      ref: build.fullRef,
      entryPoint: build.jobName,
      configPath: build.configPath,
      trigger: build.trigger,
      imageRefs: image.names,
    },
    internalParameters: {
      pipelineId: build.pipelineId,
      pipelineUrl: build.pipelineUrl,
      jobId: build.jobId,
      projectId: build.projectId,
      runner: build.runner,
    },
    resolvedDependencies: [
      { uri: `git+${build.projectUrl}@${build.fullRef}`, digest: { gitCommit: build.commit } },
    ],
  };
}

function runDetails({ ids }: AttestedImage, build: GitLabBuild, options: StatementOptions): object {
  return {
    builder: {
      id: `${build.projectUrl}/-/runners/${build.runner.id}`,
      version: { drayage: options.version },
    },
    metadata: {
      invocationId: build.jobUrl,
      ...(build.startedAt !== undefined && { startedOn: build.startedAt }),
      finishedOn: options.finishedAt.toISOString(),
    },
    byproducts: ids.map((id) => ({ name: 'image-id', digest: digestSet(id) })),
  };
}

/** The repository of its first name; tags move, so they are no part of it. */
function subjectName({ names: [name] }: AttestedImage): string {
  return name === undefined ? 'image' : familiarRepository(parseReference(name));
}

/** A digest as in-toto writes it: `{"sha256": "…"}`. */
function digestSet(digest: Digest): Record<string, string> {
  return { [digestAlgorithm(digest)]: digestHex(digest) };
}
