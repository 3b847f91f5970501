import type { CommonOptions, Context, Outcome } from '../context.ts';
import { untag } from '../../index.ts';
import type { RegistryCommandOptions } from '../registries.ts';
import { openRegistries } from '../registries.ts';
import { expandVariables } from '../tag-templates.ts';

/** Options of `drayage untag`. */
export interface UntagCommandOptions extends CommonOptions, RegistryCommandOptions {}

/** `drayage untag` */
export async function untagReferences(
  references: readonly string[],
  options: UntagCommandOptions,
  context: Context,
): Promise<Outcome> {
  await using opened = await openRegistries(options, context);
  const result = await untag({
    references: references.map((reference) => expandVariables(reference, context.env)),
    registries: opened.registries,
    signal: context.signal,
    onProgress: context.onProgress,
  });
  return {
    json: result,
    text: result.tags.map(
      ({ ref, status }) => `${ref}: ${status === 'removed' ? 'removed' : 'was not there'}`,
    ),
    quiet: result.tags.filter(({ status }) => status === 'removed').map(({ ref }) => ref),
  };
}
