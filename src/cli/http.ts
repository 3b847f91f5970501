import { readFile } from 'node:fs/promises';
import { rootCertificates } from 'node:tls';
import type { EnvHttpProxyAgent } from 'undici';
import type { Context } from './context.ts';
import { library } from './library.ts';

/**
 * Makes the connections to servers, never to a daemon: through the proxy that HTTP_PROXY, HTTPS_PROXY and NO_PROXY say, and
 * trusting, beside the usual authorities, those of `--ca`, CI_SERVER_TLS_CA_FILE and NODE_EXTRA_CA_CERTS.
 * @param more further authorities, in PEM
 */
export async function openDispatcher(
  caFile: string | undefined,
  { env }: Pick<Context, 'env'>,
  more: readonly string[] = [],
): Promise<EnvHttpProxyAgent> {
  const ca = await readAuthorities(caFile, env, more);
  // Handed in even where they are empty: else undici looks for itself.
  const proxies = {
    httpProxy: env['http_proxy'] ?? env['HTTP_PROXY'] ?? '',
    httpsProxy: env['https_proxy'] ?? env['HTTPS_PROXY'] ?? '',
    noProxy: env['no_proxy'] ?? env['NO_PROXY'] ?? '',
  };
  const { EnvHttpProxyAgent } = await import('undici');
  try {
    return new EnvHttpProxyAgent({
      ...proxies,
      proxyTunnel: false,
      ...(ca && { connect: { ca }, requestTls: { ca }, proxyTls: { ca } }),
    });
  } catch (cause) {
    const { DrayageError } = await library();
    throw new DrayageError('USAGE', 'the address of the proxy is not valid', {
      cause,
      hint: 'HTTP_PROXY and HTTPS_PROXY are such as http://proxy.example:3128',
    });
  }
}

/** All authorities; undefined where there is none beside those that Node has by itself. */
async function readAuthorities(
  caFile: string | undefined,
  env: Context['env'],
  more: readonly string[],
): Promise<string[] | undefined> {
  const own = caFile === undefined ? [...more] : [await readAuthority(caFile), ...more];
  const ofRunner = env['CI_SERVER_TLS_CA_FILE'];
  if (ofRunner) own.push(await readFile(ofRunner, 'utf8').catch(() => ''));
  const found = own.filter((text) => text !== '');
  if (found.length === 0) return undefined;
  // Naming any replaces all that Node has: its own, and those of this variable.
  const extra = env['NODE_EXTRA_CA_CERTS'];
  if (extra) found.push(await readFile(extra, 'utf8').catch(() => ''));
  return [...rootCertificates, ...found];
}

async function readAuthority(path: string): Promise<string> {
  const { DrayageError } = await library();
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new DrayageError('NOT_FOUND', `the certificates ${path} cannot be read`, { path, cause });
  });
  if (text.includes('-----BEGIN CERTIFICATE-----')) return text;
  throw new DrayageError('MALFORMED', `${path} holds no certificate`, {
    path,
    hint: 'it has to be in PEM form',
  });
}
