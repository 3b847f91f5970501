import { DrayageError } from '../../index.ts';
import { lazyArtifacts } from '../artifacts.ts';
import type { BaseJobOptions } from '../base-jobs.ts';
import { openTrustedJobs } from '../base-jobs.ts';
import { lazyRepositories } from '../bases.ts';
import type { CommonOptions, Context, Outcome } from '../context.ts';
import { openBaseLayouts } from '../sources.ts';
import type { RegistryCommandOptions } from '../registries.ts';
import type { LockTimeoutOptions } from '../places.ts';
import { defaultLayout, openLayouts } from '../places.ts';
import type { ImageOptions } from '../selection.ts';
import type { SigningOptions } from '../signing.ts';
import { describeSigned } from '../signed-images.ts';
import { prepareSigning } from '../signing.ts';

/** Options of `drayage sign`. */
export interface SignCommandOptions
  extends
    CommonOptions,
    ImageOptions,
    SigningOptions,
    RegistryCommandOptions,
    BaseJobOptions,
    LockTimeoutOptions {
  base?: string[];
  baseLayout?: string[];
}

/** `drayage sign` */
export async function signImages(
  [path]: readonly string[],
  options: SignCommandOptions,
  context: Context,
): Promise<Outcome> {
  const { sign, sealed } = await prepareSigning(options, context);
  const isNamed = path !== undefined || options.image !== undefined;
  const [layout] = await openLayouts([path ?? defaultLayout(context.env)], context, options);
  if (layout === undefined) throw new DrayageError('NOT_FOUND', 'no layout to sign');
  await using bases = await openBaseLayouts(options.baseLayout, context);
  await using repositories = lazyRepositories(options, context);
  await using artifacts = lazyArtifacts(options, context);
  const result = await sign(layout, options.image, {
    ...(!isNamed && { policy: sealed }),
    others: bases.layouts,
    bases: options.base,
    baseJobs: await openTrustedJobs(options, artifacts, context),
    openRepository: repositories.open,
    openJob: artifacts.openJob,
  });
  return { json: result, text: describeSigned(result), quiet: result.images.map(({ referrer }) => referrer) };
}
