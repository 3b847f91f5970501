import type { ContentOptions } from '../content/source.ts';
import { isDrayageError } from '../errors.ts';
import { systemCode } from '../system-error.ts';
import { isLoopback } from '../http/address.ts';
import type { Http } from '../http/http.ts';
import { drop } from '../http/reply.ts';
import { tlsFailure } from '../http/tls-failure.ts';

/** Docker Hub's registry has another host than its references. */
const ELSEWHERE: Readonly<Record<string, string>> = { 'docker.io': 'registry-1.docker.io' };

/** How a server that does not speak TLS may also end a connection. */
const CLOSED: ReadonlySet<string> = new Set(['ECONNRESET', 'UND_ERR_SOCKET']);

/**
 * The address of a registry's API: `https://<host>/`. Uses plain http on request, and, as docker does, with a server on
 * this machine's loopback that does not speak TLS.
 * @throws {@link DrayageError} `UNREACHABLE`, `TIMEOUT`, if the loopback has to be tried
 */
export async function registryAddress(
  host: string,
  plainHttp: boolean,
  http: Http,
  { signal }: ContentOptions,
): Promise<URL> {
  const name = ELSEWHERE[host] ?? host;
  const secure = new URL(`https://${name}/`);
  const plain = new URL(`http://${name}/`);
  if (plainHttp) return plain;
  if (!isLoopback(secure)) return secure;
  try {
    drop(await http.send(new URL('v2/', secure), { signal }));
    return secure;
  } catch (error) {
    const code = isDrayageError(error) ? (systemCode(error.cause) ?? '') : '';
    if (tlsFailure(code) === 'no-tls' || CLOSED.has(code)) return plain;
    throw error;
  }
}
