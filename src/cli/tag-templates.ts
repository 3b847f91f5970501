import type { Context } from './context.ts';
import { cis, DrayageError, parseReference } from '../index.ts';

type Env = Context['env'];

/**
 * Expands the CI variables in a reference: `$CI_REGISTRY_IMAGE/api:$CI_COMMIT_SHA`, `${CI_PIPELINE_ID}`.
 * @throws {@link DrayageError} `USAGE` for an unset or forbidden variable
 */
export function expandVariables(reference: string, env: Env): string {
  const allowed = cis.flatMap((ci) => ci.referenceVariables);
  return reference.replaceAll(
    /\$(?:(\w+)|\{(\w+)\})/g,
    (_, plain: string | undefined, braced: string | undefined) => {
      const name = plain ?? braced ?? '';
      const value = allowed.includes(name) ? env[name] : undefined;
      if (value) return value;
      const why = allowed.includes(name) ? 'is not set' : 'cannot stand in a reference';
      throw new DrayageError('USAGE', `$${name} ${why}`, {
        hint: `these can: ${allowed.join(', ')}`,
      });
    },
  );
}

/**
 * The tags of a version (semver.org): `v1.2.3` is 1.2.3, 1.2 and 1; a pre-release is only itself. A leading 0 promises
 * nothing, so 0.2.3 is 0.2.3 and 0.2.
 * @param tag the pipeline's git tag
 * @throws {@link DrayageError} `USAGE` if it is absent or not a version
 */
export function versionTags(tag: string | undefined): string[] {
  const [, major, minor, patch, pre, build] =
    /^v?(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-([\w.-]+))?(?:\+([\w.-]+))?$/.exec(tag ?? '') ?? [];
  if (major === undefined) {
    throw new DrayageError(
      'USAGE',
      tag ? `the git tag is not a version: ${JSON.stringify(tag)}` : 'this pipeline has no git tag',
      { hint: '--semver is for pipelines of tags such as v1.2.3' },
    );
  }
  const core = `${major}.${minor}.${patch}`;
  // A registry's tag cannot contain `+`.
  const whole = core + (pre === undefined ? '' : `-${pre}`) + (build === undefined ? '' : `_${build}`);
  if (pre !== undefined || build !== undefined) return [whole];
  return major === '0' ? [core, `0.${minor}`] : [core, `${major}.${minor}`, major];
}

/** Whether a reference has a tag: a colon after the last slash. */
export function hasTag(reference: string): boolean {
  return reference.lastIndexOf(':') > reference.lastIndexOf('/');
}

/**
 * Expands an image's name in a template: `{name}` is its repository without the registry, `{tag}` its tag.
 * @param name `group/api:1.0`, as layouts have it
 */
export function expandName(template: string, name: string): string {
  const { path, tag = 'latest' } = parseReference(name);
  return template.replaceAll('{name}', path.replace(/^library\//, '')).replaceAll('{tag}', tag);
}
