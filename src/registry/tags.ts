import * as v from 'valibot';
import type { ContentOptions } from '../content/source.ts';
import { list, parseDocument } from '../oci/parse.ts';
import { readList } from './read-list.ts';
import type { RepositoryAddress } from './repository-address.ts';

const PAGE = 1000;
const MAX_TAGS = 100_000;

const tagsSchema = v.object({ tags: v.optional(list(v.string()), []) });

/**
 * The tags of a repository; empty if there is no such repository.
 * @throws {@link DrayageError} `UNREACHABLE`, `TIMEOUT`, `MALFORMED`, `LIMIT`, `UNSAFE`
 */
export async function listTags(
  repository: RepositoryAddress,
  { signal }: ContentOptions = {},
): Promise<string[]> {
  const { path, name } = repository;
  const what = `the tags of ${name}`;
  const found = await readList(repository, `${path}/tags/list?n=${PAGE}`, {
    what,
    isNone: ({ status }) => status === 404,
    parse: (bytes) => parseDocument(tagsSchema, bytes, what).tags,
    max: MAX_TAGS,
    signal,
  });
  return found ?? [];
}
