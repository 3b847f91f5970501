import { access } from 'node:fs/promises';
import { basename, join, resolve, sep } from 'node:path';
import type { Layout } from '../index.ts';
import { DrayageError, isDamage, isDrayageError, originOf, parseReference } from '../index.ts';
import { shellWord } from '../text/shell-word.ts';
import { isGitLab, readIds } from './ci.ts';
import type { Context } from './context.ts';
import { isOwn, isRestored } from './restored.ts';

const UNKNOWN = 'the job that built it';

/** A layout that the runner may have restored; its content may be unreadable. */
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
 * The error for a named layout that does not exist: nothing says that an artifact should have contained it.
 * @param error the library's
 */
export function notThere(
  { code, message, facts }: DrayageError,
  path: string,
  context: Pick<Context, 'env'>,
): DrayageError {
  return new DrayageError(code, message, { ...facts, hint: facts.hint ?? hintForNothing(path, context) });
}

function hintForNothing(path: string, context: Pick<Context, 'env'>): string | undefined {
  if (isTagged(path)) return `if it is the name of an image, choose it separately: -i ${shellWord(path)}`;
  if (isOwn(path, context)) return 'make it with drayage save, or name another layout';
  return isGitLab(context)
    ? 'if an artifact contains it: artifacts:paths of its job must name it, this job must need that job, and the artifact must not have expired (expire_in)'
    : undefined;
}

function isTagged(text: string): boolean {
  try {
    return parseReference(text).tag !== undefined;
  } catch {
    return false;
  }
}

/**
 * For damaged content of an artifact, adds whose artifact it came with and what to do: the runner keeps damaged and cut files
 * without failing. Other errors, errors about a folder that no other job shipped, errors that name a base job, and all errors outside GitLab stay as
 * they are.
 * @param layouts those that were read
 */
export async function explainDamage<E>(
  error: E,
  layouts: readonly Restored[],
  context: Pick<Context, 'env'>,
): Promise<E | DrayageError> {
  if (!isGitLab(context) || !isDrayageError(error) || error.facts.reason === 'BASE_JOB_DAMAGED') return error;
  const isMissingBlob = error.code === 'NOT_FOUND' && error.facts.digest !== undefined;
  if (!isMissingBlob && !isDamage(error)) return error;
  const layout = await layoutWith(error, layouts);
  const job = await (layout === undefined ? unknownShipper(layouts, context) : shipperOf(layout, context));
  if (job === undefined) return error;
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

/** The shipper of one of several layouts; undefined if none of them came with an artifact. */
function unknownShipper(layouts: readonly Restored[], context: Pick<Context, 'env'>): string | undefined {
  return layouts.some(({ path }) => isRestored(path, context)) ? UNKNOWN : undefined;
}

/**
 * The job that shipped a layout, by the annotations of its images; by its folder if they are unreadable. Undefined if nothing
 * says that another job did.
 */
async function shipperOf(layout: Restored, context: Pick<Context, 'env'>): Promise<string | undefined> {
  const entries = (await layout.entries?.().catch(() => [])) ?? [];
  const isHere = isRestored(layout.path, context);
  const folder = isHere ? jobOfFolder(layout.path) : undefined;
  const origins = entries
    .map(({ annotations = {} }) => originOf(annotations))
    .filter(({ jobId }) => jobId !== undefined);
  const told = origins.find(({ jobId }) => jobId === folder) ?? origins[0];
  const id = told?.jobId ?? folder;
  const name = told?.jobName;
  if (id === undefined) return isHere ? UNKNOWN : undefined;
  if (id === readIds(context.env).jobId) return undefined;
  return name === undefined ? `job ${id}` : `job ${name} (${id})`;
}

/** The folder of a job's layout is the job's ID. */
function jobOfFolder(path: string): string | undefined {
  const name = basename(resolve(path));
  return /^\d{1,20}$/.test(name) ? name : undefined;
}
