import type { ImagePlace, ImagePolicy, Promotion } from '../index.ts';
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

/** Places whose images are listed. */
type Listing = Pick<ImagePlace, 'images'>;

/**
 * The images and their tags: one image and its references, or all named images and templates.
 * @param policy selects from all images: images of other pipelines, left in the workspace, are skipped with a line
 * @throws {@link DrayageError} `USAGE`; `NOT_FOUND` if no image has a name; `POLICY` if none may be promoted
 */
export async function readPromotions(
  args: readonly string[],
  options: PromotionOptions,
  places: readonly Listing[],
  policy: ImagePolicy | undefined,
  context: Context,
): Promise<Promotion[]> {
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
  const names = await namesIn(places, policy, context);
  if (names.length === 0) throw new DrayageError('NOT_FOUND', 'no image in the layouts has a name');
  const references = expand(templates, options, context);
  return names.map((name) => ({
    image: name,
    to: references.map((reference) => expandName(reference, name)),
  }));
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

async function namesIn(
  places: readonly Listing[],
  policy: ImagePolicy | undefined,
  { signal, onProgress }: Context,
): Promise<string[]> {
  const note = (message: string): void => onProgress({ kind: 'note', message });
  const all = (await Promise.all(places.map((place) => place.images({ signal })))).flat();
  const chosen = policy === undefined ? all : policy.choose(all, () => {});
  const names = new Set(chosen.flatMap((image) => image.names));
  // An image that shares its name with a promoted one is reported there.
  const others = all.filter((image) => !image.names.some((name) => names.has(name)));
  policy?.choose([...new Set([...chosen, ...others])], note);
  for (const { root } of chosen.filter((image) => image.names.length === 0))
    note(`${root.digest} is skipped: it has no name`);
  return [...names];
}
