import type { ErrorFacts } from '../errors.ts';
import { DrayageError, isDrayageError, isError } from '../errors.ts';
import { systemCode } from '../system-error.ts';

const ADDRESS = 'check the address; HTTPS_PROXY and NO_PROXY set a proxy';
const PATIENCE = 'try again, or allow more time';
const CERTIFICATE = 'trust the certificate authority of this server';

const PLAIN = 'check the address: the server may support plain http only';

/** Failures that a retry does not change: the reason, and what to do. */
const LASTING: Record<string, [why: string, hint: string]> = {
  ENOTFOUND: ['there is no such host', ADDRESS],
  SELF_SIGNED_CERT_IN_CHAIN: ['its certificate authority is not known', CERTIFICATE],
  DEPTH_ZERO_SELF_SIGNED_CERT: ['its certificate is self-signed', CERTIFICATE],
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: ['its certificate authority is not known', CERTIFICATE],
  UNABLE_TO_GET_ISSUER_CERT: ['its certificate authority is not known', CERTIFICATE],
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: ['its certificate authority is not known', CERTIFICATE],
  CERT_HAS_EXPIRED: ['its certificate has expired', 'check the clocks of this machine and of the server'],
  ERR_TLS_CERT_ALTNAME_INVALID: ['its certificate is for another host', ADDRESS],
  ERR_SSL_WRONG_VERSION_NUMBER: ['it does not speak TLS', PLAIN],
  ERR_SSL_PACKET_LENGTH_TOO_LONG: ['it does not speak TLS', PLAIN],
  ERR_SSL_HTTP_REQUEST: ['it does not speak TLS', PLAIN],
  EPROTO: ['it does not speak TLS', PLAIN],
  UND_ERR_HEADERS_OVERFLOW: ['its reply has too many headers', ADDRESS],
  UND_ERR_PRX_TLS: ['the certificate of the proxy is not valid', CERTIFICATE],
};

/** Failures that may pass. */
const PASSING: Record<string, string> = {
  ECONNREFUSED: 'nothing listens there',
  EAI_AGAIN: 'the name of the host cannot be resolved now',
  EHOSTUNREACH: 'no route to this host',
  ENETUNREACH: 'no route to this network',
  EADDRNOTAVAIL: 'its name leads to an address in a network of this job by now',
  ETIMEDOUT: 'no answer in time',
  EPIPE: 'the connection was closed midway',
  ECONNRESET: 'the connection was closed midway',
  ECONNABORTED: 'the connection was closed midway',
  UND_ERR_SOCKET: 'the connection was closed midway',
  UND_ERR_ABORTED: 'the proxy refused the connection',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'the reply was cut',
  UND_ERR_CONNECT_TIMEOUT: 'no answer in time',
  UND_ERR_HEADERS_TIMEOUT: 'no answer in time',
  UND_ERR_BODY_TIMEOUT: 'no answer in time',
  UND_ERR_DESTROYED: 'the connection was ended',
  UND_ERR_CLOSED: 'the connection was ended',
};

const TIMEOUTS: ReadonlySet<string> = new Set(['ETIMEDOUT', 'UND_ERR_CONNECT_TIMEOUT']);

/** Whether the code of an error means that a server is connected, and silent. */
export function isSilence(code: string): boolean {
  return code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT';
}

/** Why a connection failed, in words, by the code of its error; undefined for any other code. */
export function networkReason(code: string): string | undefined {
  return LASTING[code]?.[0] ?? PASSING[code];
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
  const code = systemCode(cause) ?? systemCode(cause.cause) ?? '';
  const why = networkReason(code);
  const hint = LASTING[code]?.[1];
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
      hint: through === '' ? hint : 'HTTPS_PROXY, HTTP_PROXY and NO_PROXY say which proxy is used',
      reason: hint === CERTIFICATE ? 'UNKNOWN_AUTHORITY' : undefined,
    },
  );
}

/** Whether a retry would fail in the same way. */
export function isLasting(error: DrayageError): boolean {
  const { cause } = error;
  const code = systemCode(cause) ?? (isError(cause) ? systemCode(cause.cause) : undefined);
  return code !== undefined && code in LASTING;
}
