import { dirname, join, relative, sep } from 'node:path';
import { Readable } from 'node:stream';
import type { Layout, OnPlanned, PlannedImage, PromotedImage, ShippedImage } from '../index.ts';
import { formatDotenvReport, imageVariables, inspect, isImageVariable } from '../index.ts';
import type { Job } from './ci.ts';
import { annotationsOf } from './ci.ts';
import type { Context } from './context.ts';
import { appendLines, checkDotenvFile } from './dotenv-file.ts';
import { makeFolders } from '../disk/make-folders.ts';
import { formatJson } from './output.ts';
import { isOwnReport, REPORT_SEAL, sealOfReport } from './report-seals.ts';
import { HOME } from './restored.ts';
import { assertWritable, writeFileWhole } from './output-file.ts';
import { refuseLinks } from './workspace.ts';

const REPORT = join(HOME, 'report.env');
const LINKS = join(HOME, 'annotations.json');

/** The option for further variables. */
export interface VariableOptions {
  env?: string[];
}

/**
 * Checks that the reports of a job can be written, before the command does anything.
 * @throws {@link DrayageError} `LINK`, `IO`
 */
export async function assertReportsWritable({ ci }: Job, { env }: Context): Promise<void> {
  for (const path of [REPORT, REPORT_SEAL, LINKS]) await assertWritable(path, { makesFolders: true });
  const outputFile = ci.outputFile?.(env);
  if (outputFile !== undefined) await checkDotenvFile(outputFile);
}

/**
 * Checks the reports that {@link writeReports} would write, before the layout changes.
 * @throws {@link DrayageError} `AMBIGUOUS`, `LIMIT`, `USAGE`, `NOT_FOUND`, `IO`
 */
export function reportPlan(layout: Layout, job: Job, options: VariableOptions, context: Context): OnPlanned {
  return async (planned) => {
    const taken = new Set(planned.flatMap(({ names }) => names));
    const digests = new Set(planned.map(({ digest }) => digest));
    const there = (await layout.entries()).length === 0 ? [] : await imagesOf(layout, job, context);
    const kept = there.flatMap(({ names, ...image }) => {
      const left = names.filter((name) => !taken.has(name));
      const isGone = digests.has(image.digest) || (names.length > 0 && left.length === 0);
      return isGone ? [] : [{ ...image, name: left[0] ?? null }];
    });
    const images = [...kept, ...planned];
    const wanted = await wantedVariables(images, job, options, context);
    formatDotenvReport(imageVariables(images, wanted), job.ci.dotenvLimits);
  };
}

/**
 * Writes what a CI takes as reports of a job: variables and links to the images that the layout holds of it. They lie beside
 * the layout, not in it, so that they are never restored with an artifact.
 * @throws {@link DrayageError} `AMBIGUOUS`, `LIMIT`, `USAGE`, `IO`
 */
export async function writeReports(
  layout: Layout,
  job: Job,
  options: VariableOptions,
  context: Context,
): Promise<void> {
  const { variables, links } = await makeReports(layout, job, options, context);
  await writeReportFiles(variables, links, job, context);
}

/**
 * Makes the texts of these reports.
 * @throws {@link DrayageError} `AMBIGUOUS`, `LIMIT`, `USAGE`
 */
export async function makeReports(
  layout: Layout,
  job: Job,
  options: VariableOptions,
  context: Context,
): Promise<{ variables: string; links: string | undefined }> {
  const { ci, origin } = job;
  const images = await imagesOf(layout, job, context);
  const wanted = await wantedVariables(images, job, options, context);
  const report = formatDotenvReport(imageVariables(images, wanted), ci.dotenvLimits);
  if (report.dropped > 0) {
    const message = `the dotenv report has no room for ${report.dropped} of the variables; it contains those of references`;
    context.onProgress({ kind: 'note', message });
  }
  const folder = relative(process.cwd(), layout.path).split(sep).join('/');
  const links = folder.startsWith('..')
    ? []
    : images.map(({ name, ref }) => ({ label: name ?? ref, folder }));
  return { variables: report.text, links: ci.artifactLinks?.(origin, links) };
}

/**
 * Writes the reports of a job that promoted images: variables whose `_REF` is the `registry/app@sha256:…` of each
 * image's first place, and links to the project's container registry.
 * @throws {@link DrayageError} `AMBIGUOUS`, `LIMIT`, `USAGE`, `IO`
 */
export async function writePromotionReports(
  promoted: readonly PromotedImage[],
  job: Job,
  options: VariableOptions,
  context: Context,
): Promise<void> {
  const { ci, origin } = job;
  const text = promotionReport(promoted, ci, options);
  const refs = promoted.flatMap(({ tags }) => tags.map(({ ref }) => ref));
  await writeReportFiles(text, ci.registryLinks?.(origin, refs, context.env), job, context);
}

/**
 * The dotenv report of promoted images, also before they are promoted.
 * @throws {@link DrayageError} `AMBIGUOUS`, `LIMIT`, `USAGE`
 */
export function promotionReport(
  promoted: readonly PlannedImage[],
  { dotenvLimits }: Job['ci'],
  options: VariableOptions,
): string {
  const images = promoted.flatMap(({ id, digest, tags: [first] }) =>
    first === undefined ? [] : [{ name: first.ref, ref: first.digestRef, id, digest }],
  );
  return formatDotenvReport(imageVariables(images, options.env), dotenvLimits).text;
}

/** The images of this job in a layout: those with its seal. Earlier jobs may have used the same folder. */
async function imagesOf(
  layout: Layout,
  job: Job,
  { env, signal }: Context,
): Promise<(ShippedImage & { names: string[] })[]> {
  const { images } = await inspect({ from: [layout], signal });
  const ours = Object.entries(annotationsOf(job, env));
  return images
    .filter(({ annotations }) => ours.every(([key, value]) => annotations[key] === value))
    .map(({ names, ref, id, digest }) => ({ name: names[0] ?? null, names, ref, id, digest }));
}

/** The further variables of this command, and before them those that earlier commands of the job wrote for these images. */
async function wantedVariables(
  images: readonly ShippedImage[],
  job: Job,
  { env = [] }: VariableOptions,
  context: Context,
): Promise<string[]> {
  const earlier = (await readReport(job, context)).flatMap(([key, value]) => {
    const image = images.find(({ ref, id, digest }) => [ref, id, digest].includes(value));
    return image === undefined || isImageVariable(key) ? [] : [`${key}=${image.digest}`];
  });
  const requested = new Set(env.map((text) => text.split('=')[0]));
  return [...earlier.filter((text) => !requested.has(text.split('=')[0])), ...env];
}

/** The variables of the report that is there, if this job wrote it. */
async function readReport(job: Job, context: Context): Promise<[key: string, value: string][]> {
  await refuseLinks(REPORT);
  const { readOwnFile } = await import('./own-file.ts');
  const text = (await readOwnFile(REPORT))?.bytes.toString() ?? '';
  if (text === '' || !(await isOwnReport(text, job, context))) return [];
  return text.split('\n').flatMap((line) => {
    const [, key, value] = /^([A-Za-z_]\w*)=(.+)$/.exec(line) ?? [];
    return key === undefined || value === undefined ? [] : [[key, value] as [string, string]];
  });
}

async function writeReportFiles(
  variables: string,
  links: string | undefined,
  job: Job,
  context: Context,
): Promise<void> {
  const { signal, env } = context;
  await writeText(REPORT, variables, signal);
  const seal = sealOfReport(variables, job, context);
  if (seal !== undefined) await writeText(REPORT_SEAL, `${seal}\n`, signal);
  const outputFile = job.ci.outputFile?.(env);
  if (outputFile !== undefined) await appendLines(outputFile, variables, signal);
  if (links === undefined) return;
  await writeText(LINKS, `${formatJson(JSON.parse(links))}\n`, signal);
}

async function writeText(path: string, text: string, signal: AbortSignal): Promise<void> {
  await refuseLinks(path);
  await makeFolders(dirname(path));
  await writeFileWhole(path, Readable.from([text]), signal);
}
