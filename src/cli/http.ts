import { readFile } from 'node:fs/promises';
import { rootCertificates } from 'node:tls';
import type { Dispatcher, Pool } from 'undici';
import { countedPools, openAgent } from '../agent.ts';
import type { Context } from './context.ts';
import { DrayageError, isDrayageError, isLoopback, judgedLookup } from '../index.ts';
import { diskError } from '../system-error.ts';
import { loadProxies } from '../undici.ts';

/** The proxies of an environment; empty for none. */
interface Proxies {
  httpProxy: string;
  httpsProxy: string;
  /** The hosts that are reached without one. */
  noProxy: string;
}

/** How long a proxy may take to make a tunnel, in milliseconds: as long as a server may be silent. */
const TUNNEL_TIMEOUT = 60_000;

/** Connections to servers. */
interface Connections extends AsyncDisposable {
  dispatcher: Dispatcher;
}

/**
 * Connects to servers, never to a daemon: through the proxy of HTTP_PROXY, HTTPS_PROXY and NO_PROXY. Besides the usual
 * authorities, trusts those of `--ca`, CI_SERVER_TLS_CA_FILE and NODE_EXTRA_CA_CERTS. A proxy cannot reach this
 * machine's loopback.
 * @param more further authorities, in PEM
 * @throws {@link DrayageError} `USAGE` for a proxy that cannot be used; `NOT_FOUND`, `MALFORMED`
 */
export async function openConnections(
  caFile: string | undefined,
  context: Pick<Context, 'env' | 'onProgress' | 'idleTimeout'>,
  more: readonly string[] = [],
): Promise<Connections> {
  const { env, idleTimeout } = context;
  const proxies = proxiesOf(env);
  const ca = await readAuthorities(caFile, context, more);
  const direct = await openAgent({ connect: { ...(ca && { ca }), lookup: judgedLookup } });
  if (proxies.httpProxy === '' && proxies.httpsProxy === '')
    return { dispatcher: direct, [Symbol.asyncDispose]: async () => direct.destroy() };
  const proxied = await throughProxies(proxies, ca, idleTimeout);
  // Most jobs have no proxy.
  const { isExempt } = await import('./no-proxy.ts');
  // undici asks the proxy for http also for https if there is no other.
  const isDirect = (url: URL): boolean =>
    proxyFor(url, proxies) === '' || isLoopback(url) || isExempt(proxies.noProxy, url);
  return {
    dispatcher: proxied.compose(
      (dispatch) => (options, handler) =>
        options.origin !== undefined && isDirect(new URL(options.origin))
          ? direct.dispatch(options, handler)
          : dispatch(options, handler),
    ),
    [Symbol.asyncDispose]: async () => {
      await Promise.all([proxied.destroy(), direct.destroy()]);
    },
  };
}

function proxyFor({ protocol }: URL, { httpProxy, httpsProxy }: Proxies): string {
  return protocol === 'https:' ? httpsProxy : httpProxy;
}

/**
 * The proxies that an environment names, each for its protocol alone, as for Go and curl; empty for none.
 * @throws {@link DrayageError} `USAGE` for an address that is not valid, or of a proxy that speaks another protocol
 */
function proxiesOf(env: Context['env']): Proxies {
  return {
    httpProxy: readProxy(variableOf('http_proxy', env), env),
    httpsProxy: readProxy(variableOf('https_proxy', env), env),
    noProxy: env[variableOf('no_proxy', env)] ?? '',
  };
}

/** The variables that name the proxies, as they are written in an environment. */
export function proxyVariables(env: Context['env']): string[] {
  const { httpsProxy, httpProxy } = proxiesOf(env);
  return [
    ...(httpsProxy === '' ? [] : [variableOf('https_proxy', env)]),
    ...(httpProxy === '' ? [] : [variableOf('http_proxy', env)]),
  ];
}

/** A variable goes before its name in upper case, unless it is empty: as for Go and curl. */
function variableOf(name: string, env: Context['env']): string {
  return env[name] ? name : name.toUpperCase();
}

/**
 * Reads the address of a proxy. Without a scheme it speaks http, and a path means nothing, as for curl and Go. Errors do not
 * hold its login.
 */
function readProxy(variable: string, env: Context['env']): string {
  const text = (env[variable] ?? '').trim();
  if (text === '') return '';
  const address = text.includes('://') ? text : `http://${text}`;
  if (!isAddress(address)) throw unusable(`the address of the proxy in ${variable} is not valid`);
  const url = new URL(address);
  const { protocol } = url;
  // undici refuses an address with more than an origin and a login.
  [url.pathname, url.search, url.hash] = ['', '', ''];
  if (protocol === 'http:' || protocol === 'https:') return url.href;
  throw unusable(`the proxy in ${variable} is a ${protocol}// proxy, which is not supported`);
}

/** Whether a text is an address with a login that can be decoded. */
function isAddress(text: string): boolean {
  try {
    const { username, password } = new URL(text);
    // Each by itself, as undici does: half a letter at the end of one is not made whole by the other.
    for (const part of [username, password]) decodeURIComponent(part);
    return true;
  } catch {
    return false;
  }
}

function unusable(message: string): DrayageError {
  return new DrayageError('USAGE', message, {
    hint: 'these forms are read: http://HOST:PORT, https://HOST:PORT and HOST:PORT',
  });
}

/**
 * A request waits until its proxy has made a tunnel, and no other timeout applies.
 * @param tunnelTimeout in milliseconds
 */
async function throughProxies(
  proxies: Proxies,
  ca: string[] | undefined,
  tunnelTimeout = TUNNEL_TIMEOUT,
): Promise<Dispatcher> {
  const { EnvHttpProxyAgent, Pool: ProxyPool } = await loadProxies();
  return new EnvHttpProxyAgent({
    // Each is given even if it is empty; otherwise undici reads the environment itself.
    ...proxies,
    noProxy: '',
    proxyTunnel: false,
    factory: await countedPools(),
    clientFactory: (url, options) =>
      new ProxyPool(url, { ...namingProxy(url, options), headersTimeout: tunnelTimeout }),
    connect: { ...(ca && { ca }), lookup: judgedLookup },
    ...(ca && { requestTls: { ca }, proxyTls: { ca } }),
  });
}

/** Connects to a proxy so that a failure names it. */
function namingProxy({ host }: URL, options: Pool.Options): Pool.Options {
  const { connect } = options;
  if (typeof connect !== 'function') return options;
  return {
    ...options,
    connect: (target, done) =>
      connect(target, (...[error, socket]) =>
        error === null ? done(null, socket) : done(Object.assign(error, { proxy: host }), null),
      ),
  };
}

/** All authorities; undefined if there are none besides Node's own. */
async function readAuthorities(
  caFile: string | undefined,
  { env, onProgress }: Pick<Context, 'env' | 'onProgress'>,
  more: readonly string[],
): Promise<string[] | undefined> {
  const own = caFile === undefined ? [...more] : [await readAuthority(caFile), ...more];
  const ofRunner = env['CI_SERVER_TLS_CA_FILE'];
  if (ofRunner) own.push(await readOrNote(ofRunner, onProgress));
  const found = own.filter((text) => text !== '');
  if (found.length === 0) return undefined;
  // Setting any replaces Node's own, including those of this variable.
  const extra = env['NODE_EXTRA_CA_CERTS'];
  if (extra) found.push(await readOrNote(extra, onProgress));
  return [...rootCertificates, ...found];
}

/** Reads authorities that the environment names. A file that cannot be read is skipped with a line, as Node skips it. */
export async function readOrNote(path: string, onProgress: Context['onProgress']): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const failure = diskError(error, `the authorities in ${path} are not used, because it cannot be read`);
    if (!isDrayageError(failure)) throw failure;
    onProgress({ kind: 'note', message: failure.message });
    return '';
  }
}

/**
 * Reads the certificates that `--ca` names.
 * @throws {@link DrayageError} `NOT_FOUND`, `IO`, `MALFORMED`
 */
export async function readAuthority(path: string): Promise<string> {
  const { readGiven } = await import('./given-file.ts');
  const text = (await readGiven(path, 'the certificates')).toString();
  if (text.includes('-----BEGIN CERTIFICATE-----')) return text;
  throw new DrayageError('MALFORMED', `${path} does not contain a certificate`, {
    path,
    hint: 'it must be in PEM form',
  });
}
