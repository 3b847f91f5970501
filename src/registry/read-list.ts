import type { ContentOptions } from '../content/source.ts';
import { DrayageError } from '../errors.ts';
import { withoutSecrets } from '../http/address.ts';
import { addressIn, reachedAt } from '../http/redirect.ts';
import type { HttpReply } from '../http/reply.ts';
import { drop, readWhole } from '../http/reply.ts';
import type { RepositoryAddress } from './repository-address.ts';
import { repositoryScope } from './repository-address.ts';

/** The maximum number of pages of a list. Registries send about 100 items in a page. */
const MAX_PAGES = 1000;

/** What a list contains, and how to read its pages. */
interface ReadListOptions<T> extends ContentOptions {
  /** Names the list in errors. */
  what: string;
  headers?: Readonly<Record<string, string>>;
  /** Whether the first reply says that there is no such list. */
  isNone: (reply: HttpReply) => boolean;
  parse: (bytes: Buffer) => readonly T[];
  /** The maximum number of items. */
  max: number;
}

/** A part of a list, and the address of the next part. */
interface Page<T> {
  items: readonly T[];
  next: URL | undefined;
}

/**
 * Reads a list of a repository, page by page. A page that is cut is requested again.
 * @param first the path of the first page, below `/v2/`
 * @returns undefined if there is no such list
 * @throws {@link DrayageError} `UNREACHABLE`, `TIMEOUT`, `LIMIT`; `UNSAFE` if it continues at another host; errors of
 * `parse`
 */
export async function readList<T>(
  repository: RepositoryAddress,
  first: string,
  options: ReadListOptions<T>,
): Promise<T[] | undefined> {
  const { max, what, signal } = options;
  const found: T[] = [];
  const known = new Set<string>();
  let to: string | URL | undefined = first;
  while (to !== undefined) {
    const from: string | URL = to;
    const page: Page<T> | undefined = await repository.api.retry.run(
      () => readPage(repository, from, options),
      signal,
    );
    if (page === undefined) return undefined;
    for (const item of page.items) found.push(item);
    if (found.length > max) throw new DrayageError('LIMIT', `${what}: there are over ${max}`);
    to = page.items.length === 0 ? undefined : page.next;
    if (to !== undefined) assertNewPage(to, known, what);
  }
  return found;
}

/** A server must not make pages without end: each is another one, and their number is limited. */
function assertNewPage({ href }: URL, known: Set<string>, what: string): void {
  if (known.has(href)) throw new DrayageError('UNREACHABLE', `${what}: the registry lists a page twice`);
  known.add(href);
  if (known.size < MAX_PAGES) return;
  throw new DrayageError('LIMIT', `${what}: there are over ${MAX_PAGES} pages`, { expected: MAX_PAGES });
}

async function readPage<T>(
  repository: RepositoryAddress,
  to: string | URL,
  { what, headers = {}, isNone, parse, signal }: ReadListOptions<T>,
): Promise<Page<T> | undefined> {
  const { api } = repository;
  const scopes = [repositoryScope(repository, 'pull')];
  const from = await api.address(to, { signal });
  const reply = await api.send({ to: from, scopes, headers, signal });
  if (to !== from && isNone(reply)) {
    drop(reply);
    return undefined;
  }
  if (reply.status !== 200) throw await api.refusal(reply, what);
  const bytes = await readWhole(reply, what);
  return { items: parse(bytes), next: nextPage(reply, from) };
}

/**
 * The address of the next page (RFC 8288): `Link: </v2/app/tags/list?last=b>; rel="next"`. A registry behind a proxy
 * may call itself by http, or by another port: the request goes to the address that was reached.
 */
function nextPage(reply: HttpReply, from: URL): URL | undefined {
  const [, target] = /<([^>]*)>\s*;[^,]*\brel="?next"?/.exec(reply.header('link') ?? '') ?? [];
  if (target === undefined) return undefined;
  const url = addressIn(target, from);
  if (url.hostname === from.hostname) return reachedAt(from, url);
  throw new DrayageError('UNSAFE', `${withoutSecrets(from)} continues at another host`, {
    url: withoutSecrets(url),
    hint: 'a list is read only from its own registry',
  });
}
