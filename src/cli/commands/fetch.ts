import type { CommonOptions, Context, Outcome } from '../context.ts';
import { readPolicy } from '../expectations.ts';
import { count, formatBytes, formatSeconds } from '../format.ts';
import { library } from '../library.ts';
import { createLayout, layoutOf } from '../places.ts';
import type { SignatureOptions } from '../signatures.ts';
import { readSignaturePolicy } from '../signatures.ts';
import type { SourceOptions } from '../sources.ts';
import { openSources } from '../sources.ts';

/** Options of `drayage fetch`. */
export interface FetchCommandOptions extends CommonOptions, SourceOptions, SignatureOptions {
  image?: string[];
  out?: string;
}

/** `drayage fetch` */
export async function fetchImages(options: FetchCommandOptions, context: Context): Promise<Outcome> {
  const { DrayageError, fetch } = await library();
  if (options.job === undefined && options.jobId === undefined) {
    throw new DrayageError('USAGE', 'which job is to be fetched from?', {
      hint: 'name it by --job or --job-id',
    });
  }
  const authenticate = await readSignaturePolicy(options, context);
  await using sources = await openSources([], options, context, 'once');
  const result = await fetch({
    from: sources.places,
    images: options.image,
    // Who names a job means that one, unless it is said what to expect of it.
    policy: options.expect === undefined ? undefined : await readPolicy(options, context),
    authenticate,
    to: await createLayout(options.out ?? layoutOf(sources.home ?? 'images'), context),
    signal: context.signal,
    onProgress: context.onProgress,
  });
  const { fetched, total } = result.bytes;
  return {
    json: result,
    text: [
      ...result.images.map(({ name, id }) => `${name ?? '(no name)'}: ${id}`),
      `${result.layout}: ${count(result.images.length, 'image')}, ${formatBytes(total)}, ${formatBytes(fetched)} of it fetched, in ${formatSeconds(result.seconds)}`,
    ],
    quiet: result.images.map(({ ref }) => ref),
  };
}
