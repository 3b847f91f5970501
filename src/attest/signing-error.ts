import type { ErrorFacts, ErrorReason } from '../errors.ts';
import { DrayageError, isDrayageError, isError } from '../errors.ts';
import { systemCode } from '../system-error.ts';
import { TLS_REASONS } from '../http/network-error.ts';
import { tlsFailure } from '../http/tls-failure.ts';
import type { IdentityToken } from './identity-token.ts';
import { withoutToken } from './identity-token.ts';
import { shortened } from './refusal.ts';
import { withoutCredentials, withoutUserinfo } from '../text/userinfo.ts';

/** The services that take part in signing. */
export interface Services {
  fulcioUrl?: string;
  rekorUrl?: string;
  tsaUrl?: string;
  /** A secret that must not be repeated. */
  token?: IdentityToken;
}

interface Service {
  name: string;
  url: string | undefined;
  reason?: ErrorReason;
  /** What to do if it refuses. */
  hint: string;
}

const TIMEOUTS = /timeout|TIMEOUT|TIMEDOUT/;

/**
 * Turns a failure of signing into an error. Only texts are kept, without the token: a service may repeat what it was
 * sent, and its client's error may contain it.
 */
export function signingError(error: unknown, services: Services): DrayageError {
  if (isDrayageError(error)) return error;
  const { name, url, hint, reason } = serviceOf(error, services);
  const where = { url: url && withoutUserinfo(url) };
  const cause = causeOf(error);
  const why = clean(messageOf(cause), services);
  const status = statusOf(cause);
  const code = networkCode(cause);
  const at = `${name}${url === undefined ? '' : ` at ${withoutUserinfo(url)}`}`;
  if (status !== undefined) {
    const isPassing = status >= 500 || status === 429 || status === 408;
    const message = isPassing ? `${at} failed: ${why}` : `${at} refused: ${why}`;
    return new DrayageError(isPassing ? 'UNREACHABLE' : 'SIGNING', message, {
      ...where,
      status,
      hint,
      reason,
    });
  }
  if (code !== undefined && TIMEOUTS.test(code)) {
    return new DrayageError('TIMEOUT', `${at} did not answer in time`, { ...where, hint: 'try again' });
  }
  const untrusted = code === undefined ? undefined : tlsError(code, at, where);
  if (untrusted !== undefined) return untrusted;
  if (code !== undefined && /^E[A-Z]+$/.test(code)) {
    return new DrayageError('UNREACHABLE', `${at} cannot be reached: ${why}`, {
      ...where,
      hint: 'check the address; try again',
    });
  }
  return new DrayageError('MALFORMED', `${at} sent an unreadable answer: ${why}`, {
    ...where,
    hint: 'check that the address is that of the service itself, not of a web page',
  });
}

/** The error for a failure of TLS; undefined for any other failure. */
function tlsError(code: string, at: string, facts: ErrorFacts): DrayageError | undefined {
  const failure = tlsFailure(code);
  if (failure === undefined) return undefined;
  const [why, advice = 'try again'] = TLS_REASONS[failure];
  const isUnknown = failure === 'self-signed' || failure === 'authority';
  return new DrayageError(
    failure === 'other' ? 'UNREACHABLE' : 'SIGNING',
    `${at} cannot be reached: ${why}`,
    {
      ...facts,
      actual: code,
      hint: isUnknown ? 'name its certificate authority by NODE_EXTRA_CA_CERTS' : advice,
    },
  );
}

function serviceOf(error: unknown, { fulcioUrl, rekorUrl, tsaUrl }: Services): Service {
  const code = systemCode(error) ?? '';
  const certificates =
    'the instance has to know who issued the token: of all GitLab instances the public one knows gitlab.com only';
  if (/^(?:CA_|IDENTITY)/.test(code))
    return { name: 'the certificate authority', url: fulcioUrl, hint: certificates };
  if (code.startsWith('TLOG_'))
    return {
      name: 'the transparency log',
      url: rekorUrl,
      reason: 'LOG_SERVICE',
      hint: 'check its address',
    };
  if (code.startsWith('TSA_'))
    return {
      name: 'the timestamp authority',
      url: tsaUrl,
      reason: 'TIMESTAMP_SERVICE',
      hint: 'check its address',
    };
  return { name: 'a signing service', url: undefined, hint: 'check the addresses' };
}

function causeOf(error: unknown): unknown {
  return isError(error) && error.cause !== undefined ? error.cause : error;
}

function messageOf(cause: unknown): string {
  return isError(cause) ? cause.message : String(cause);
}

function statusOf(cause: unknown): number | undefined {
  const status: unknown = isError(cause) && 'statusCode' in cause ? cause.statusCode : undefined;
  return typeof status === 'number' ? status : undefined;
}

/** The code of the network's error; a client that gave up itself states it in `type`. */
function networkCode(cause: unknown): string | undefined {
  const code = systemCode(cause);
  if (code !== 'FETCH_ERROR' || !(isError(cause) && 'type' in cause)) return code;
  return String(cause.type);
}

/**
 * A text of a service or its client, without the token, the services' passwords, and the user information in addresses.
 */
function clean(text: string, { token, fulcioUrl, rekorUrl, tsaUrl }: Services): string {
  const secrets = [fulcioUrl, rekorUrl, tsaUrl].flatMap(passwordsIn);
  const told = secrets.reduce(
    (left, secret) => left.replaceAll(secret, '[password]'),
    withoutCredentials(text),
  );
  return shortened(token === undefined ? told : withoutToken(told, token));
}

/** The password in an address, in each form in which a service may repeat it. */
function passwordsIn(url: string | undefined): string[] {
  if (url === undefined || !URL.canParse(url)) return [];
  const { username, password } = new URL(url);
  if (password === '') return [];
  const [user, plain] = [username, password].map(decoded);
  return [Buffer.from(`${user}:${plain}`).toString('base64'), plain ?? '', password];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
