import type { Context } from './context.ts';
import { DrayageError, parseReference } from '../index.ts';

/** The variables that a reference may contain: none is a secret, and all have the form of a tag or a path. */
const VARIABLES: ReadonlySet<string> = new Set([
  'CI_COMMIT_SHA',
  'CI_COMMIT_SHORT_SHA',
  'CI_COMMIT_TAG',
  'CI_COMMIT_REF_SLUG',
  'CI_DEFAULT_BRANCH',
  'CI_ENVIRONMENT_SLUG',
  'CI_JOB_ID',
  'CI_MERGE_REQUEST_IID',
  'CI_PIPELINE_ID',
  'CI_PIPELINE_IID',
  'CI_PROJECT_NAME',
  'CI_PROJECT_NAMESPACE',
  'CI_PROJECT_PATH',
  'CI_PROJECT_PATH_SLUG',
  'CI_REGISTRY',
  'CI_REGISTRY_IMAGE',
]);

type Env = Context['env'];

/**
 * Expands the CI variables in a reference: `$CI_REGISTRY_IMAGE/api:$CI_COMMIT_SHA`, `${CI_PIPELINE_ID}`.
 * @throws {@link DrayageError} `USAGE` for an unset or forbidden variable
 */
export function expandVariables(reference: string, env: Env): string {
  return reference.replaceAll(
    /\$(?:(\w+)|\{(\w+)\})/g,
    (_, plain: string | undefined, braced: string | undefined) => {
      const name = plain ?? braced ?? '';
      const value = VARIABLES.has(name) ? env[name] : undefined;
      if (value) return value;
      const why = VARIABLES.has(name) ? 'is not set' : 'cannot stand in a reference';
      throw new DrayageError('USAGE', `$${name} ${why}`, {
        hint: `these can: ${[...VARIABLES].join(', ')}`,
      });
    },
  );
}

/**
 * The tags of a version (semver.org): `v1.2.3` is 1.2.3, 1.2 and 1; a pre-release is only itself. A leading 0 promises
 * nothing, so 0.2.3 is 0.2.3 and 0.2.
 * @param tag CI_COMMIT_TAG
 * @throws {@link DrayageError} `USAGE` if it is absent or not a version
 */
export function versionTags(tag: string | undefined): string[] {
  const [, major, minor, patch, pre, build] =
    /^v?(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-([\w.-]+))?(?:\+([\w.-]+))?$/.exec(tag ?? '') ?? [];
  if (major === undefined) {
    throw new DrayageError(
      'USAGE',
      tag ? `CI_COMMIT_TAG is not a version: ${JSON.stringify(tag)}` : 'CI_COMMIT_TAG is not set',
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
