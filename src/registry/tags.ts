import * as v from 'valibot';
import type { ContentOptions } from '../content.ts';
import { DrayageError } from '../errors.ts';
import { drop, readWhole } from '../http/reply.ts';
import { list, parseDocument } from '../oci/parse.ts';
import { nextPage } from './next-page.ts';
import type { RepositoryAddress } from './repository-address.ts';
import { repositoryScope } from './repository-address.ts';

const PAGE = 1000;
const MAX_TAGS = 100_000;

const tagsSchema = v.looseObject({ tags: v.optional(list(v.string()), []) });

/**
 * The tags of a repository; none where there is no such repository.
 * @throws {@link DrayageError} `UNREACHABLE`, `TIMEOUT`, `MALFORMED`, `LIMIT`
 */
export async function listTags(
  repository: RepositoryAddress,
  { signal }: ContentOptions = {},
): Promise<string[]> {
  const { api, path, name } = repository;
  const scopes = [repositoryScope(repository, 'pull')];
  const found: string[] = [];
  for (let to: string | URL | undefined = `${path}/tags/list?n=${PAGE}`; to !== undefined;) {
    const from: string | URL = to;
    const reply = await api.ask({ to: from, scopes, signal });
    if (reply.status === 404) {
      drop(reply);
      return found;
    }
    if (reply.status !== 200) throw await api.refusal(reply, `${name}: its tags`);
    const next = await nextPage(reply, from, api, { signal });
    const { tags } = parseDocument(tagsSchema, await readWhole(reply, name), `the tags of ${name}`);
    found.push(...tags);
    if (found.length > MAX_TAGS) throw new DrayageError('LIMIT', `${name} has over ${MAX_TAGS} tags`);
    to = tags.length === 0 ? undefined : next;
  }
  return found;
}
