import type { ContentOptions } from '../content.ts';
import { addressIn } from '../http/redirect.ts';
import type { HttpReply } from '../http/reply.ts';
import type { RegistryApi } from './api.ts';

/** Where a list goes on (RFC 8288): `Link: </v2/app/tags/list?last=b>; rel="next"`. */
export async function nextPage(
  reply: HttpReply,
  from: string | URL,
  api: RegistryApi,
  options: ContentOptions,
): Promise<URL | undefined> {
  const [, target] = /<([^>]*)>\s*;[^,]*\brel="?next"?/.exec(reply.header('link') ?? '') ?? [];
  return target === undefined ? undefined : addressIn(target, await api.address(from, options));
}
