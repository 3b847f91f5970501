import { access } from 'node:fs/promises';
import { basename, join, resolve, sep } from 'node:path';
import type { Layout } from '../index.ts';
import { DrayageError, isDamage, isDrayageError, originOf } from '../index.ts';
import { isGitLab } from './ci.ts';
import type { Context } from './context.ts';

/** A layout that the runner has restored; its content may be unreadable. */
type Restored = Pick<Layout, 'path'> & Partial<Pick<Layout, 'entries'>>;

/**
 * The error for a layout that an artifact should have contained. The runner does not report it: if no file matches
 * artifacts:paths, the shipping job still passes.
 */
export function notShipped(path: string, what: string): DrayageError {
  const job = jobOfFolder(path);
  const who = job === undefined ? 'the job that this one needs' : `job ${job}`;
  return new DrayageError('NOT_FOUND', `${what}: ${who} shipped no image`, {
    path,
    hint:
      'the usual causes: artifacts:paths of the building job does not name .drayage/$CI_JOB_ID, this job says dependencies: [] ' +
      'or artifacts: false or does not need the building job, or the artifact has expired (expire_in)',
  });
}

/**
 * For damaged content, adds whose artifact it came with and what to do: the runner keeps damaged and cut files without
 * failing. Other errors, and all errors outside GitLab, stay as they are.
 * @param layouts those that were read
 */
export async function explainDamage<E>(
  error: E,
  layouts: readonly Restored[],
  context: Pick<Context, 'env'>,
): Promise<E | DrayageError> {
  if (!isGitLab(context) || !isDrayageError(error)) return error;
  const isMissingBlob = error.code === 'NOT_FOUND' && error.facts.digest !== undefined;
  if (!isMissingBlob && !isDamage(error)) return error;
  const job = await jobOf(await layoutWith(error, layouts));
  return new DrayageError(error.code, `${error.message} (shipped by ${job})`, {
    ...error.facts,
    hint:
      'the runner keeps damaged or cut files without failing: retry this job, which restores the artifact again; ' +
      `if the same blob fails again, retry ${job}`,
  });
}

/** The layout that an error is about; undefined if the error does not say. */
async function layoutWith(
  { facts: { path, digest = '' } }: DrayageError,
  layouts: readonly Restored[],
): Promise<Restored | undefined> {
  const [only, ...others] = layouts;
  if (others.length === 0) return only;
  const named = layouts.find(
    (layout) => path === layout.path || path?.startsWith(layout.path + sep) === true,
  );
  if (named !== undefined) return named;
  for (const layout of layouts) {
    const isThere = access(join(layout.path, 'blobs', ...digest.split(':'))).then(
      () => true,
      () => false,
    );
    if (digest !== '' && (await isThere)) return layout;
  }
  return undefined;
}

/** The job that shipped a layout, by the annotations of its images; by its folder if they are unreadable. */
async function jobOf(layout: Restored | undefined): Promise<string> {
  const entries = (await layout?.entries?.().catch(() => [])) ?? [];
  const folder = layout && jobOfFolder(layout.path);
  const origins = entries
    .map(({ annotations = {} }) => originOf(annotations))
    .filter(({ jobId }) => jobId !== undefined);
  const told = origins.find(({ jobId }) => jobId === folder) ?? origins[0];
  const id = told?.jobId ?? folder;
  const name = told?.jobName;
  if (id === undefined) return 'the job that built it';
  return name === undefined ? `job ${id}` : `job ${name} (${id})`;
}

/** The folder of a job's layout is the job's ID. */
function jobOfFolder(path: string): string | undefined {
  const name = basename(resolve(path));
  return /^\d{1,20}$/.test(name) ? name : undefined;
}
