import * as v from 'valibot';
import type { ContentOptions } from '../content/source.ts';
import { isDrayageError } from '../errors.ts';
import { optional, parserOf, sizeSchema } from '../oci/parse.ts';
import type { GitLabApi } from './api.ts';
import { projectPath } from './jobs.ts';

/** The largest archive of artifacts that an instance accepts from a project. */
export interface ArtifactLimit {
  bytes: number;
  /** What sets it. */
  setBy: 'project' | 'group' | 'instance';
}

/** In MiB; the level above counts if it is absent. */
const limit = { max_artifacts_size: optional(sizeSchema) };
const id = v.pipe(v.number(), v.safeInteger());
const projectSchema = v.looseObject({
  ...limit,
  namespace: optional(v.looseObject({ id, kind: optional(v.string()) })),
});
const groupSchema = v.looseObject({ ...limit, parent_id: optional(id) });
const settingsSchema = v.looseObject(limit);

/** GitLab allows 20 levels of groups. */
const MAX_LEVELS = 20;

/**
 * Asks for the limit, from the project up to the instance. GitLab shows it to tokens of administrators only.
 * @returns undefined if the token may not see it, or there is none
 * @throws {@link DrayageError} `UNREACHABLE`, `TIMEOUT`, `MALFORMED`
 */
export async function readArtifactLimit(
  api: GitLabApi,
  project: string,
  options?: ContentOptions,
): Promise<ArtifactLimit | undefined> {
  if (!api.has('token')) return undefined;
  try {
    return await lookUp(api, project, options);
  } catch (error) {
    const isRefusal = isDrayageError(error) && [401, 403, 404].includes(error.facts.status ?? 0);
    if (isRefusal) return undefined;
    throw error;
  }
}

async function lookUp(
  api: GitLabApi,
  project: string,
  options?: ContentOptions,
): Promise<ArtifactLimit | undefined> {
  const as = 'token';
  const { value } = await api.json(parserOf(projectSchema), { path: projectPath(project), as }, options);
  if (value.max_artifacts_size !== undefined) return inBytes(value.max_artifacts_size, 'project');
  let group = value.namespace?.kind === 'group' ? value.namespace.id : undefined;
  for (let level = 0; group !== undefined && level < MAX_LEVELS; level++) {
    const { value: found } = await api.json(parserOf(groupSchema), { path: `groups/${group}`, as }, options);
    if (found.max_artifacts_size !== undefined) return inBytes(found.max_artifacts_size, 'group');
    group = found.parent_id;
  }
  const settings = await api.json(parserOf(settingsSchema), { path: 'application/settings', as }, options);
  const { max_artifacts_size: ofAll } = settings.value;
  return ofAll === undefined ? undefined : inBytes(ofAll, 'instance');
}

function inBytes(mebibytes: number, setBy: ArtifactLimit['setBy']): ArtifactLimit {
  return { bytes: mebibytes * 1024 ** 2, setBy };
}
