import type { ArtifactLimit } from '../../index.ts';
import { isDrayageError } from '../../index.ts';
import type { Job } from '../ci.ts';
import { readJob } from '../ci.ts';
import { formatBytes } from '../../text/bytes.ts';
import { connectGitLab } from '../gitlab.ts';
import { openConnections } from '../http.ts';
import type { Check } from './check.ts';
import { examine } from './check.ts';
import type { DoctorInput } from './input.ts';
import type { Trial } from './trial.ts';
import { namesImages } from './trial.ts';

/** How long the instance may take to answer, in ms: the check works without its answer, too. */
const PATIENCE = 10_000;

/** A limit, and what says so. */
interface Limit {
  bytes: number;
  setBy: ArtifactLimit['setBy'] | 'default';
  /** Why the instance itself does not say. */
  doubt?: string;
}

/** The largest artifact that the instance accepts, compared with the layout that a trial has made. */
export async function checkLimit(input: DoctorInput, trial: Trial | undefined): Promise<Check> {
  return examine('limit', 'warn', async (facts) => {
    const job = readJob(input.context.env);
    const limit = job && (await limitOf(job, input));
    facts['limit'] = limit?.bytes ?? null;
    if (limit === undefined)
      return { status: 'ok', message: 'no CI limits the size of artifacts here', facts };
    const size = trial?.result && storedBytes(trial.result.bytes);
    Object.assign(facts, { setBy: limit.setBy, size: size ?? null });
    const hint = namesImages(input) ? undefined : 'with images, doctor measures the layout';
    return { ...compared(limit, size), ...(size === undefined && { hint }), facts };
  });
}

function compared(limit: Limit, size: number | undefined): Pick<Check, 'status' | 'message' | 'hint'> {
  const { bytes, setBy, doubt } = limit;
  const refuses = setBy === 'default' ? 'may refuse' : 'refuses';
  const by = setBy === 'default' ? `GitLab's default, since ${doubt}` : `set by the ${setBy}`;
  const limited = `artifacts are limited to ${formatBytes(bytes)} (${by})`;
  if (size === undefined) return { status: 'ok', message: limited };
  if (size <= bytes) return { status: 'ok', message: `${limited}; the layout takes ${formatBytes(size)}` };
  return {
    status: 'warn',
    message: `${limited}, and the layout takes ${formatBytes(size)}: GitLab ${refuses} the artifact after the save`,
    hint: 'omit the layers of the base image (--thin always --base IMAGE), compress more (--level), or have the limit raised',
  };
}

/** Bytes of layers in the layout. */
function storedBytes({ total, omitted }: { total: number; omitted: number }): number {
  return total - omitted;
}

async function limitOf({ ci, origin }: Job, { options, context }: DoctorInput): Promise<Limit | undefined> {
  const byDefault = ci.sizeLimit?.(origin);
  if (byDefault === undefined) return undefined;
  const assumed = (doubt: string): Limit => ({ bytes: byDefault, setBy: 'default', doubt });
  if (!context.env['DRAYAGE_GITLAB_TOKEN'] || !context.env['CI_API_V4_URL'])
    return assumed("only an administrator's DRAYAGE_GITLAB_TOKEN may read the real one");
  try {
    await using connections = await openConnections(options.ca, context);
    const quick = { retry: { attempts: 1 }, idleTimeout: PATIENCE };
    await using gitlab = connectGitLab(connections.dispatcher, context, quick);
    const { signal } = context;
    return (
      (await gitlab.artifactLimit(origin.projectId, { signal })) ??
      assumed('the API does not show the real one to this token')
    );
  } catch (error) {
    if (!isDrayageError(error)) throw error;
    return assumed(`the API does not say: ${error.message}`);
  }
}
