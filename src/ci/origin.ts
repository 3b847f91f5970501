import { REVISION, SOURCE } from '../oci/annotations.ts';
import { SEAL, sealOf } from './seal.ts';

/** Variables of a process. */
export type Env = Readonly<Record<string, string | undefined>>;

/** The run of a job that saved an image. */
export interface Origin {
  /** The CI, by its name in annotations: `gitlab`. */
  ci: string;
  /** Address of the instance: `https://gitlab.example`. */
  server: string;
  projectPath: string;
  projectId: string;
  projectUrl: string;
  /** Decimal digits. */
  pipelineId: string;
  /** The ID of this run of the job: each run has its own. Up to 64 letters, digits, dots and underscores. */
  jobId: string;
  jobName: string;
  /** Orders the runs of one job in one pipeline: decimal digits, the highest counts. Default: the job ID. */
  run?: string | undefined;
  /** Branch or tag. */
  ref: string;
  commit: string;
  /** Address of the job's page, if known. No annotation states it. */
  jobUrl?: string | undefined;
}

/** The facts of annotations `dev.drayage.<ci>.<name>`, by name, in the order in which they are written. */
const FACTS = {
  server: 'server',
  'project-path': 'projectPath',
  'project-id': 'projectId',
  'pipeline-id': 'pipelineId',
  'job-id': 'jobId',
  'job-name': 'jobName',
  run: 'run',
  ref: 'ref',
} as const;

const ANNOTATION = new RegExp(
  String.raw`^dev\.drayage\.([a-z][a-z0-9-]*)\.(?:${Object.keys(FACTS).join('|')})$`,
);

/**
 * The annotations that state an origin. They are hints, not proof: whoever can write the layout can write them.
 * @param secret what only this job knows: it seals them, so that the job knows its own images again. Default: no seal
 */
export function originAnnotations(origin: Origin, secret?: string): Record<string, string> {
  const facts = Object.entries(FACTS).flatMap(([name, fact]) => {
    const value = origin[fact];
    return value === undefined ? [] : [[`dev.drayage.${origin.ci}.${name}`, value]];
  });
  return {
    [REVISION]: origin.commit,
    [SOURCE]: origin.projectUrl,
    ...Object.fromEntries(facts),
    ...(secret !== undefined && { [SEAL]: sealOf(origin, secret) }),
  };
}

/** The origin that annotations state. If they name two CIs, only commit and project address count. */
export function originOf(annotations: Readonly<Record<string, string>>): Partial<Origin> {
  const common = { commit: annotations[REVISION], projectUrl: annotations[SOURCE] };
  const [ci, ...others] = new Set(Object.keys(annotations).flatMap((key) => ciOf(key) ?? []));
  if (ci === undefined || others.length > 0) return common;
  const facts = Object.entries(FACTS).map(([name, fact]) => [fact, annotations[`dev.drayage.${ci}.${name}`]]);
  return { ...common, ci, ...Object.fromEntries(facts) };
}

/** Annotations with another origin: an image that another CI saves states only one. */
export function withOrigin(
  annotations: Readonly<Record<string, string>>,
  own: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const { ci } = originOf(own);
  const kept = Object.entries(annotations).filter(([key]) => ci === undefined || (ciOf(key) ?? ci) === ci);
  return { ...Object.fromEntries(kept), ...own };
}

/**
 * Annotations whose origin is a signed one. What is not signed about an origin is dropped, because whoever writes to the
 * place chose it; the project's ID stays as a hint.
 * @param signed an origin as annotations; without any, nothing changes
 */
export function withSignedOrigin(
  annotations: Readonly<Record<string, string>>,
  signed: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const { ci } = originOf(signed);
  if (ci === undefined) return { ...annotations };
  const [server, path] = [
    annotations[`dev.drayage.${ci}.server`],
    annotations[`dev.drayage.${ci}.project-path`],
  ];
  const isSame = signed[SOURCE] === `${server}/${path}`;
  const stays = (key: string): boolean =>
    ciOf(key) === undefined
      ? key !== REVISION && key !== SOURCE
      : key.endsWith('.project-id') || (isSame && /\.(?:server|project-path)$/.test(key));
  const kept = Object.fromEntries(
    Object.entries(annotations).filter(([key]) => stays(key) && (ciOf(key) ?? ci) === ci),
  );
  return { ...signed, ...kept };
}

/**
 * The number of the run that annotations state, which grows with the runs of one job in one pipeline; undefined if they state none.
 */
export function runNumber(annotations: Readonly<Record<string, string>>): bigint | undefined {
  const { jobId, run = jobId } = originOf(annotations);
  return numberOf(run);
}

/**
 * Orders origins by their runs, the earliest first; those without a run come first. IDs of jobs grow across pipelines. A
 * `run` begins again in each pipeline, so the ID of the pipeline goes first there.
 */
export function compareRuns(
  a: Readonly<Record<string, string>>,
  b: Readonly<Record<string, string>>,
): number {
  const [[firstA, secondA], [firstB, secondB]] = [runOrder(a), runOrder(b)];
  return compare(firstA, firstB) || compare(secondA, secondB);
}

function compare(a: bigint, b: bigint): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

const NO_RUN = -1n;

/** The numbers that order an origin among those of other pipelines, the most important first. */
function runOrder(annotations: Readonly<Record<string, string>>): [bigint, bigint] {
  const { pipelineId, run } = originOf(annotations);
  const number = runNumber(annotations) ?? NO_RUN;
  return run === undefined || number === NO_RUN ? [number, NO_RUN] : [numberOf(pipelineId) ?? NO_RUN, number];
}

function numberOf(digits: string | undefined): bigint | undefined {
  return digits !== undefined && /^\d{1,20}$/.test(digits) ? BigInt(digits) : undefined;
}

/** Annotations that do not say which run of a job saved the image. */
export function withoutRun(annotations: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(annotations).filter(([key]) => !isOfRun(key)));
}

function isOfRun(annotation: string): boolean {
  return ciOf(annotation) !== undefined && /\.(?:job-id|run)$/.test(annotation);
}

function ciOf(annotation: string): string | undefined {
  return ANNOTATION.exec(annotation)?.[1];
}
