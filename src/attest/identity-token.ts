import { wallClock } from '../clock.ts';
import { DrayageError } from '../errors.ts';
import { parseJson } from '../oci/json.ts';
import type { Fields } from '../oci/parse.ts';
import { isObject } from '../oci/parse.ts';

/** An identity token whose form, audience and time were checked. The certificate authority checks its signature. */
export interface IdentityToken {
  /** The token itself: a secret. */
  token: string;
  /** The issuer: for a GitLab job, the address of its instance. */
  issuer: string;
}

/** The required audience of the token. */
const AUDIENCE = 'sigstore';
const MAX_SIZE = 16 * 1024;

/**
 * Looks at an identity token before it is used. No error holds any part of it.
 * @param now by which it must not have expired; default: the wall clock's
 * @param how a job gets a token, for errors
 * @throws {@link DrayageError} `USAGE`
 */
export function readIdentityToken(
  text: string | undefined,
  now: Date = wallClock(),
  how?: string,
): IdentityToken {
  const unusable = (message: string, hint = how): DrayageError =>
    new DrayageError('USAGE', message, { hint });
  if (text === undefined || text === '') throw unusable('no identity token: SIGSTORE_ID_TOKEN is not set');
  const [header, payload, signature, ...rest] = text.split('.');
  const parts = [header, payload, signature];
  const isShaped =
    text.length <= MAX_SIZE && rest.length === 0 && parts.every((part) => /^[\w-]+$/.test(part ?? ''));
  const claims = isShaped ? decode(payload) : undefined;
  if (claims === undefined || decode(header) === undefined) throw unusable('the identity token is not a JWT');
  const { aud, exp, iss, sub } = claims;
  const audiences: unknown[] = Array.isArray(aud) ? aud : [aud];
  if (!audiences.includes(AUDIENCE))
    throw unusable(`the identity token is not for ${AUDIENCE}: its audience is another`);
  if (typeof exp !== 'number') throw unusable('the identity token does not say when it expires');
  if (exp * 1000 <= now.getTime()) {
    throw unusable(
      `the identity token expired ${Math.ceil((now.getTime() - exp * 1000) / 1000)} s ago`,
      EXPIRED,
    );
  }
  if (typeof iss !== 'string' || typeof sub !== 'string' || sub === '') {
    throw unusable('the identity token does not say whose it is');
  }
  return { token: text, issuer: iss };
}

const EXPIRED =
  'a token lasts as long as the job’s timeout says, 5 minutes at least: raise that, or sign before what takes long, in the same job';

function decode(part: string | undefined): Fields | undefined {
  try {
    const value = parseJson(Buffer.from(part ?? '', 'base64url'), 'the token');
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** A text without the token and without any part that could replace it: a service may repeat what it was sent. */
export function withoutToken(text: string, { token }: IdentityToken): string {
  return [token, ...token.split('.').filter((part) => part.length >= 8)].reduce(
    (left, secret) => left.replaceAll(secret, '[token]'),
    text,
  );
}
