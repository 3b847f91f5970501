import * as v from 'valibot';
import type { ContentOptions } from '../content/source.ts';
import { DrayageError } from '../errors.ts';
import { withoutSecrets } from '../http/address.ts';
import type { Http, HttpRequest } from '../http/http.ts';
import type { HttpReply } from '../http/reply.ts';
import { drop, readWhole } from '../http/reply.ts';
import { passingError } from '../http/retry.ts';
import { parseJson } from '../oci/json.ts';
import { optional } from '../oci/parse.ts';
import type { Challenge } from './challenge.ts';
import type { Credential } from './credentials.ts';
import type { RealmOptions } from './realm.ts';
import { realmOf } from './realm.ts';
import { unreadHint } from './refusal.ts';
import { refusalCode } from '../http/refusal-code.ts';

/** A request for a token. */
export interface TokenRequest extends ContentOptions, RealmOptions {
  http: Http;
  /** Contains `realm`, and mostly `service`. */
  challenge: Challenge;
  /** `repository:group/app:pull,push` */
  scopes: readonly string[];
  credential: Exclude<Credential, { registryToken: string }> | undefined;
  /** Why the credential that there should be cannot be read. */
  unread?: DrayageError | undefined;
}

/** A token for some scopes. */
export interface Token {
  value: string;
  /** Seconds from now. */
  expiresIn: number;
}

/** The life of a token whose server does not state it (distribution, spec/auth/token), in seconds. */
const DEFAULT_LIFE = 60;

/** A token in a header: visible characters of ASCII (RFC 6750, section 2.1, allows fewer). */
const TOKEN = /^[\x21-\x7e]{1,16384}$/;

const tokenSchema = v.looseObject({
  token: optional(v.string()),
  access_token: optional(v.string()),
  expires_in: optional(v.number()),
});

/**
 * Requests a token from a registry's token server, once. The credential is sent to the address in the registry's
 * challenge, as the protocol says and {@link realmOf} permits; no redirect is followed.
 * @throws {@link DrayageError} `DENIED`, `REFUSED`, `UNREACHABLE`, `TIMEOUT`; `UNSAFE` if that server must not be asked
 */
export async function requestToken(request: TokenRequest): Promise<Token> {
  const url = await realmOf(request.challenge, request);
  const shown = withoutSecrets(url);
  const reply = await request.http.send(url, asked(url, request));
  const passing = passingError(reply, shown);
  if (passing !== undefined || reply.status !== 200) {
    drop(reply);
    throw passing ?? refused(reply, shown, request);
  }
  const parsed = v.safeParse(tokenSchema, parseJson(await readWhole(reply, shown), 'the token'));
  const value = parsed.success ? parsed.output.token || parsed.output.access_token : undefined;
  if (!parsed.success || !value || !TOKEN.test(value)) {
    const what = value ? 'with a token that no request can carry' : 'without a token';
    throw new DrayageError('UNREACHABLE', `${shown} answers ${what}`, { url: shown });
  }
  return { value, expiresIn: parsed.output.expires_in ?? DEFAULT_LIFE };
}

/** The request: with an identity token that of OAuth 2, else a GET as docker makes it. Sets the query of `url`. */
function asked(url: URL, { challenge, scopes, credential, signal }: TokenRequest): HttpRequest {
  const service = challenge.parameters.get('service');
  const fields = new URLSearchParams(service === undefined ? {} : { service });
  if (credential !== undefined && 'identityToken' in credential) {
    fields.set('grant_type', 'refresh_token');
    fields.set('client_id', 'drayage');
    fields.set('scope', scopes.join(' '));
    fields.set('refresh_token', credential.identityToken);
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    return { method: 'POST', headers, body: fields.toString(), signal };
  }
  for (const scope of scopes) fields.append('scope', scope);
  if (credential !== undefined) fields.set('account', credential.username);
  for (const [name, value] of fields) url.searchParams.append(name, value);
  return { headers: credential === undefined ? {} : { authorization: basic(credential) }, signal };
}

/** The value of `Authorization` for a user name and a password. */
export function basic({ username, password }: { username: string; password: string }): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

function refused(
  { status }: HttpReply,
  url: string,
  { host, credential, unread }: TokenRequest,
): DrayageError {
  return new DrayageError(refusalCode(status), `the token server of ${host} answers ${status}`, {
    url,
    status,
    hint:
      unreadHint(status, unread) ??
      (credential === undefined
        ? `it requires credentials: docker login ${host}`
        : `it does not accept the credentials, or they lack a permission: docker login ${host}`),
  });
}
