import type { CodecName, Platform } from '../index.ts';
import { chosenCompression, DrayageError, parseReference } from '../index.ts';
import type { OmitJobOptions } from './base-jobs.ts';
import type { BuiltImage } from './built-images.ts';
import type { Job } from './ci.ts';
import { readJob } from './ci.ts';
import type { CommonOptions, Context } from './context.ts';
import { withAlgorithm } from './image-id.ts';
import { onlyMeaningful } from './meaning.ts';
import type { LockTimeoutOptions } from './places.ts';
import { parseSize } from './quantities.ts';
import type { RegistryCommandOptions } from './registries.ts';
import type { VariableOptions } from './reports.ts';
import { assertReportsWritable } from './reports.ts';
import type { PlatformOptions } from './selection.ts';
import { readPlatform } from './selection.ts';
import type { Signing, SigningOptions } from './signing.ts';

/** Options of `drayage save`. */
export interface SaveCommandOptions
  extends
    CommonOptions,
    PlatformOptions,
    VariableOptions,
    SigningOptions,
    RegistryCommandOptions,
    OmitJobOptions,
    LockTimeoutOptions {
  iidfile?: string;
  metadataFile?: string;
  from?: string;
  out?: string;
  base?: string[];
  baseLayout?: string[];
  thin?: 'auto' | 'always' | 'never';
  compress?: CodecName;
  level?: number;
  oneRequest?: boolean;
  host?: string;
  maxSize?: string;
  sign?: boolean;
  sticky?: boolean;
  shared?: boolean;
}

/** What options say about a save. */
export interface SaveRequest {
  /** Image IDs of a build. An ID also selects an image of an archive. */
  ids: string[];
  described: BuiltImage[];
  platform: Platform | undefined;
  /** In bytes. */
  maxSize: number | undefined;
}

/**
 * Reads options, and the files that a build wrote.
 * @throws {@link DrayageError} `USAGE`, `NOT_FOUND`, `MALFORMED`, `IO`
 */
export async function readRequest(options: SaveCommandOptions): Promise<SaveRequest> {
  const { iidfile, metadataFile, maxSize } = options;
  chosenCompression(options.compress, options.level);
  return {
    ids: iidfile === undefined ? [] : [await (await import('./built-images.ts')).readImageId(iidfile)],
    described:
      metadataFile === undefined ? [] : await (await import('./built-images.ts')).readMetadata(metadataFile),
    platform: readPlatform(options),
    maxSize: maxSize === undefined ? undefined : parseSize(maxSize),
  };
}

/** A save whose request was read, before anything is opened. */
export interface BegunSave extends SaveRequest {
  names: string[];
  /** Undefined outside a CI. */
  job: Job | undefined;
  /** Undefined without `--sign`. */
  signing: Signing | undefined;
}

const OF_SIGNING = ['key', 'keyless', 'fulcioUrl', 'rekorUrl', 'tsaUrl', 'publicSigstore', 'expect'] as const;
const STAYS = 'it says that the daemon of a reference outlasts the job';

/**
 * Reads what to save, and checks beforehand that it can be reported and signed.
 * @throws {@link DrayageError} `USAGE`, `NOT_FOUND`, `MALFORMED`, `IO`
 */
export async function beginSave(
  given: readonly string[],
  options: SaveCommandOptions,
  context: Context,
): Promise<BegunSave> {
  const names = given.map(withAlgorithm);
  const request = await readRequest(options);
  if (options.sign !== true) onlyMeaningful(options, OF_SIGNING, 'without --sign', 'sign the images: --sign');
  if (options.sticky !== true) onlyMeaningful(options, ['shared'], 'without --sticky', STAYS);
  if (options.from !== undefined)
    onlyMeaningful(
      options,
      ['host', 'oneRequest'],
      'with --from',
      'no daemon is asked then: omit one of them',
    );
  if (options.compress === 'none')
    onlyMeaningful(options, ['level'], 'with --compress none', 'omit the level, or choose a compression');
  if (options.from === undefined) assertNames(names, [...request.ids, ...request.described]);
  const job = readJob(context.env);
  if (job !== undefined) await assertReportsWritable(job, context);
  const signing = options.sign === true ? await readSigning(options, context) : undefined;
  return { ...request, names, job, signing };
}

/** To sign needs much code, which is loaded only for `--sign`. */
async function readSigning(options: SaveCommandOptions, context: Context): Promise<Signing> {
  const { prepareSigning } = await import('./signing.ts');
  return prepareSigning(options, context);
}

/** Refuses what no daemon can be asked for, before it is connected to. */
function assertNames(names: readonly string[], others: readonly unknown[]): void {
  if (names.length + others.length === 0)
    throw new DrayageError('USAGE', 'no image given', { reason: 'NO_IMAGE_GIVEN' });
  for (const name of names) parseReference(name);
}

/** A digest always means one image, but any job of the daemon can move a name. */
export function noteMovingTags(names: readonly string[], { onProgress }: Context): void {
  const tags = names.filter((name) => !/^(?:sha256:)?[0-9a-f]{12,64}$|@sha256:[0-9a-f]{64}$/.test(name));
  if (tags.length === 0) return;
  const message = `${tags.join(', ')}: another job of this shared daemon may have moved the tag; --iidfile or --metadata-file save what this job built`;
  onProgress({ kind: 'note', message });
}
