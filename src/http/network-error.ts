import type { ErrorFacts } from '../errors.ts';
import { DrayageError, isDrayageError, isError } from '../errors.ts';
import { systemCode, systemReason } from '../system-error.ts';
import type { TlsFailure } from './tls-failure.ts';
import { tlsFailure } from './tls-failure.ts';

const ADDRESS = 'check the address; HTTPS_PROXY and NO_PROXY set a proxy';
const PATIENCE = 'try again, or allow more time';
const CERTIFICATE = 'trust the certificate authority of this server';
const CLOCKS = 'check the clocks of this machine and of the server';
const CLOSED = 'the connection was closed midway';

/** Failures that a retry does not change: the reason, and what to do. */
const LASTING: Readonly<Record<string, readonly [why: string, hint: string]>> = {
  ENOTFOUND: ['there is no such host', ADDRESS],
  EAI_NONAME: ['there is no such host', ADDRESS],
  UND_ERR_HEADERS_OVERFLOW: ['its reply has too many headers', ADDRESS],
  UND_ERR_PRX_TLS: ['the certificate of the proxy is not valid', CERTIFICATE],
};

/** What TLS failed for: the reason, and what to do. */
export const TLS_REASONS: Readonly<Record<TlsFailure, readonly [why: string, hint?: string]>> = {
  'self-signed': ['its certificate is self-signed', CERTIFICATE],
  authority: ['its certificate authority is not known', CERTIFICATE],
  expired: ['its certificate has expired', CLOCKS],
  'not-yet-valid': ['its certificate is not valid yet', CLOCKS],
  name: ['its certificate is for another host', ADDRESS],
  certificate: ['its certificate is not valid', 'the server needs another certificate'],
  'no-tls': ['it does not speak TLS', 'check the address: the server may support plain http only'],
  version: ['it speaks no version of TLS that is supported here', 'the server must support TLS 1.2 or later'],
  refused: [
    'it refuses this client in the TLS handshake',
    'the server may require a certificate of its clients, or a cipher that is not supported here',
  ],
  other: ['TLS failed'],
};

/** Failures that may pass. */
const PASSING: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  EAI_AGAIN: 'the name of the host cannot be resolved now',
  EHOSTUNREACH: 'no route to this host',
  EHOSTDOWN: 'the host is down',
  ENETUNREACH: 'no route to this network',
  ENETDOWN: 'the network is down',
  EADDRNOTAVAIL: 'its name leads to an address in a network of this job by now',
  ETIMEDOUT: 'no answer in time',
  EPIPE: CLOSED,
  ECONNRESET: CLOSED,
  ECONNABORTED: CLOSED,
  ENETRESET: CLOSED,
  ENOTCONN: CLOSED,
  UND_ERR_SOCKET: CLOSED,
  UND_ERR_INFO: CLOSED,
  UND_ERR_ABORTED: 'the proxy refused the connection',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'the reply was cut',
  UND_ERR_CONNECT_TIMEOUT: 'no answer in time',
  UND_ERR_HEADERS_TIMEOUT: 'no answer in time',
  UND_ERR_BODY_TIMEOUT: 'no answer in time',
  UND_ERR_DESTROYED: 'the connection was ended',
  UND_ERR_CLOSED: 'the connection was ended',
};

/** Calls that make a connection: each failure of them is one of the network, whatever its code. */
const CONNECTING: ReadonlySet<unknown> = new Set(['connect', 'getaddrinfo', 'bind']);

const TIMEOUTS: ReadonlySet<string> = new Set(['ETIMEDOUT', 'UND_ERR_CONNECT_TIMEOUT']);

/** Whether the code of an error means that a server is connected, and silent. */
export function isSilence(code: string): boolean {
  return code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT';
}

/** Why a connection failed, in words; undefined for an error that is not of the network. */
export function networkReason(error: Error): string | undefined {
  return reasonOf(error)?.[0];
}

function reasonOf(error: Error): readonly [why: string, hint?: string] | undefined {
  const code = codeOf(error);
  const passing = PASSING[code];
  const tls = tlsFailure(code);
  const known = LASTING[code] ?? (passing === undefined ? tls && TLS_REASONS[tls] : ([passing] as const));
  if (known !== undefined) return known;
  return isOfConnecting(error) ? [systemReason(error)] : undefined;
}

/** Whether a connection could not be made. One to several addresses fails with the errors of all. */
function isOfConnecting(error: Error): boolean {
  if ('syscall' in error) return CONNECTING.has(error.syscall);
  return (
    'errors' in error &&
    Array.isArray(error.errors) &&
    error.errors.some((one) => isError(one) && isOfConnecting(one))
  );
}

function codeOf(error: Error): string {
  return systemCode(error) ?? systemCode(error.cause) ?? '';
}

/** The error for a server that is silent, or sends next to nothing. */
export function idleError(peer: string, what: string, facts: ErrorFacts): DrayageError {
  return new DrayageError('TIMEOUT', `${peer} ${what}`, { ...facts, reason: 'IDLE', hint: PATIENCE });
}

/** Whether a reply was not HTTP. */
export function isGarbled(error: unknown): boolean {
  return isError(error) && error.name === 'HTTPParserError';
}

/** Turns a network failure into an error. Returns anything else unchanged. */
export function networkError(url: string, cause: unknown): unknown {
  if (!isError(cause) || isDrayageError(cause)) return cause;
  const code = codeOf(cause);
  const [why, hint] = reasonOf(cause) ?? [];
  // undici asserts that nobody switches protocols without a request for it.
  if (isGarbled(cause) || code === 'ERR_ASSERTION') {
    return new DrayageError('UNREACHABLE', `the server at ${url} does not speak HTTP`, {
      url,
      cause,
      hint: ADDRESS,
    });
  }
  if (why === undefined) return cause;
  if (isSilence(code)) return idleError(url, 'did not answer in time', { url, cause });
  // Whoever connects through a proxy names it in the error.
  const through = 'proxy' in cause && typeof cause.proxy === 'string' ? `the proxy ${cause.proxy} for ` : '';
  return new DrayageError(
    TIMEOUTS.has(code) ? 'TIMEOUT' : 'UNREACHABLE',
    `cannot reach ${through}${url}: ${why}`,
    {
      url,
      cause,
      actual: code,
      hint: through === '' ? hint : 'HTTPS_PROXY, HTTP_PROXY and NO_PROXY say which proxy is used',
      reason: hint === CERTIFICATE ? 'UNKNOWN_AUTHORITY' : undefined,
    },
  );
}

/** Whether a retry would fail in the same way. */
export function isLasting({ cause }: DrayageError): boolean {
  if (!isError(cause)) return false;
  const code = codeOf(cause);
  return code in LASTING || (tlsFailure(code) ?? 'other') !== 'other';
}
