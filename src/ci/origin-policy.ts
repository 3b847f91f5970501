import type { StoredImage } from '../content/image-index.ts';
import { nameOf } from '../content/image-index.ts';
import type { ImagePolicy } from '../content/policy.ts';
import { DrayageError } from '../errors.ts';
import { REVISION } from '../oci/annotations.ts';
import type { ImageConfig } from '../oci/config.ts';
import type { Expectations, Mismatch } from './expectations.ts';
import { acceptedFor, accepting, mismatches } from './expectations.ts';
import { originOf, runNumber } from './origin.ts';

/**
 * Accepts the images that meet the expectations. Others are skipped with a note if at least one image meets them;
 * otherwise the refusal says what would have accepted it. If a job was retried, its last run counts.
 *
 * An image whose own label names another commit than the expected one is refused even then: this pipeline did not build
 * it, whoever saved it.
 */
export function originPolicy(expectations: Expectations): ImagePolicy {
  return {
    choose: (images, note) => latestRuns(meeting(images, expectations, note), note),
    check: (image, config) => assertRevision(image, config, expectations),
  };
}

type Note = (message: string) => void;

function meeting(images: readonly StoredImage[], expectations: Expectations, note: Note): StoredImage[] {
  const judged = images.map((image) => ({ image, found: mismatches(image.annotations, expectations) }));
  const accepted = judged.filter(({ found }) => found.length === 0).map(({ image }) => image);
  const refused = judged.filter(({ found }) => found.length > 0);
  const [first] = refused;
  if (accepted.length === 0 && first !== undefined) throw refusal(first.image, first.found);
  for (const { image, found } of refused) note(`${nameOf(image)} is skipped: ${reason(found)}`);
  return accepted;
}

function refusal(image: StoredImage, found: readonly Mismatch[]): DrayageError {
  const [{ expected, actual } = { expected: [], actual: undefined }] = found;
  return new DrayageError('POLICY', `${nameOf(image)} is not the image of this pipeline: ${reason(found)}`, {
    reason: 'OTHER_ORIGIN',
    expected: expected.join(','),
    actual,
    accepting: accepting(found),
  });
}

function reason(found: readonly Mismatch[]): string {
  return found
    .map(({ key, expected, actual }) => `${key} is ${actual ?? 'not stated'}, not ${expected.join(' or ')}`)
    .join('; ');
}

/** The last run of each job of a pipeline counts. */
function latestRuns(images: readonly StoredImage[], note: Note): StoredImage[] {
  const latest = new Map<string, bigint>();
  for (const { job, run } of images.map(runOf)) {
    if (run > (latest.get(job) ?? -1n)) latest.set(job, run);
  }
  return images.filter((image) => {
    const { job, run } = runOf(image);
    const last = latest.get(job) ?? run;
    if (run < last) note(`${nameOf(image)} of job ${run} is skipped: the job ran again as ${last}`);
    return run === last;
  });
}

/**
 * The job that saved an image, and the number of its run. An image that does not state its job counts as a job of its
 * own.
 */
function runOf({ annotations, root }: StoredImage): { job: string; run: bigint } {
  const { ci, server, projectPath, pipelineId, jobName } = originOf(annotations);
  const run = runNumber(annotations);
  return pipelineId !== undefined && jobName !== undefined && run !== undefined
    ? { job: JSON.stringify([ci, server, projectPath, pipelineId, jobName]), run }
    : { job: root.digest, run: 0n };
}

function assertRevision(image: StoredImage, config: ImageConfig, expectations: Expectations): void {
  const expected = acceptedFor(expectations, 'commit');
  const label = config.config?.Labels?.[REVISION];
  if (expected === undefined || label === undefined || expected.includes(label)) return;
  throw new DrayageError(
    'POLICY',
    `${nameOf(image)} was built from commit ${label} by its label ${REVISION}, not from ${expected.join(' or ')}`,
    {
      reason: 'OTHER_REVISION',
      expected: expected.join(','),
      actual: label,
      accepting: { commit: [...expected, label] },
    },
  );
}
