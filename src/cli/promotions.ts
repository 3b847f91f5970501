import type { PromoteOptions } from '../index.ts';
import { DrayageError } from '../index.ts';
import { gitTagOf } from './ci.ts';
import type { Context } from './context.ts';
import { expandName, expandVariables, hasTag, versionTags } from './tag-templates.ts';

/** The options that select images and their tags. */
export interface PromotionOptions {
  all?: boolean;
  to?: string[];
  semver?: boolean;
}

/**
 * The images and their tags: one image and its references, or templates for all named images.
 * @throws {@link DrayageError} `USAGE`
 */
export function readPromotions(
  args: readonly string[],
  options: PromotionOptions,
  context: Context,
): PromoteOptions['promotions'] {
  // A variable holds several, with spaces between them.
  const templates = [options.to ?? []]
    .flat()
    .flatMap((text) => text.split(/\s+/).filter((ref) => ref !== ''));
  if (options.all !== true) {
    const [image, ...references] = args;
    const to = [...references, ...templates];
    if (to.length === 0) {
      const what = image === undefined ? 'which image, and to where?' : `where is ${image} to go?`;
      throw usage(what, 'drayage promote IMAGE REF…; --to REF for the only image; --all --to TEMPLATE');
    }
    return [{ image, to: expand(to, options, context) }];
  }
  if (args.length > 0)
    throw usage(`--all takes no ${args[0]}`, "name where to by --to 'registry/group/{name}:{tag}'");
  if (templates.length === 0) throw usage('--all to where?', "--to 'registry/group/{name}:{tag}'");
  const references = expand(templates, options, context);
  return (name) => references.map((reference) => expandName(reference, name));
}

/** Expands the variables in references. With `--semver`, references without a tag get the version's tags. */
function expand(references: readonly string[], { semver }: PromotionOptions, { env }: Context): string[] {
  const expanded = references.map((reference) => expandVariables(reference, env));
  if (semver !== true) return expanded;
  const tags = versionTags(gitTagOf(env));
  return expanded.flatMap((reference) =>
    hasTag(reference) ? [reference] : tags.map((tag) => `${reference}:${tag}`),
  );
}

function usage(message: string, hint: string): Error {
  return new DrayageError('USAGE', message, { hint });
}
