import * as v from 'valibot';
import { DrayageError } from '../../errors.ts';
import { systemCode } from '../../system-error.ts';
import type { ErrorCode, ErrorFacts } from '../../errors.ts';
import type { DockerHost } from './host.ts';
import type { TlsMaterial } from './tls.ts';

const UNTRUSTED: ReadonlySet<string> = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'INVALID_CA',
]);
const OUT_OF_TIME: Record<string, string> = {
  CERT_HAS_EXPIRED: 'has expired',
  CERT_NOT_YET_VALID: 'is not valid yet',
};
/** OpenSSL's errors for an answer that is not TLS. */
const NO_TLS = /^(?:ERR_SSL_(?:WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST)|EPROTO)$/;
/** The maximum number of names in a message; a certificate may have thousands. */
const MAX_NAMES = 20;

const altNameSchema = v.looseObject({
  cert: v.looseObject({
    subjectaltname: v.optional(v.string()),
    subject: v.optional(v.looseObject({ CN: v.optional(v.string()) })),
  }),
});

/** The error for a failure of TLS; undefined for any other failure. */
export function tlsError(host: DockerHost, tls: TlsMaterial, cause: Error): DrayageError | undefined {
  const code = systemCode(cause) ?? '';
  const error = (kind: ErrorCode, message: string, hint: string, more?: ErrorFacts): DrayageError =>
    new DrayageError(kind, message, { url: host.name, cause, hint, ...more });
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const names = namesIn(cause);
    return error(
      'UNSAFE',
      `the certificate of docker at ${host.name} is for ${names.join(', ') || 'no name'}, not for this one`,
      'add this name to it (docker:dind: DOCKER_TLS_SAN: DNS:name), or use one of its names in DOCKER_HOST',
      { candidates: names, reason: 'DAEMON_ADDRESS' },
    );
  }
  if (UNTRUSTED.has(code)) {
    return error(
      'UNSAFE',
      `the certificate of docker at ${host.name} is not from ${authority(tls)}`,
      'set DOCKER_CERT_PATH to the folder with the ca.pem of this daemon',
    );
  }
  const when = OUT_OF_TIME[code];
  if (when !== undefined) {
    return error(
      'UNSAFE',
      `the certificate of docker at ${host.name}, or its authority's, ${when}`,
      'renew it, or correct the clock of this machine',
    );
  }
  if (/^ERR_SSL_.*ALERT/.test(code)) {
    return error('USAGE', `docker at ${host.name} refuses ${shown(tls)}`, certificateHint(tls));
  }
  if (NO_TLS.test(code)) {
    return error(
      'UNSUPPORTED',
      `the server at ${host.name} does not speak TLS`,
      'docker speaks TLS on port 2376 as a rule; without TLS: unset DOCKER_TLS_VERIFY and DOCKER_TLS, port 2375',
    );
  }
  return undefined;
}

/** What to do if a daemon with TLS closes the connection: often that means it requires a client certificate. */
export function certificateHint({ cert, certPath }: TlsMaterial): string {
  return cert === undefined
    ? `it may want a client's certificate: cert.pem and key.pem, in the folder DOCKER_CERT_PATH${certPath === undefined ? '' : `, are not in ${certPath}`}`
    : `it may not take cert.pem in ${certPath}: that has to be from the daemon's own authority, and not expired`;
}

function shown({ cert, certPath }: TlsMaterial): string {
  return cert === undefined ? 'clients without a certificate' : `the client's certificate in ${certPath}`;
}

function authority({ ca, certPath }: TlsMaterial): string {
  return ca === undefined
    ? `an authority known here${certPath === undefined ? '' : ` (there is no ca.pem in ${certPath})`}`
    : `the authority in ${certPath}/ca.pem`;
}

/** `DNS:docker, IP Address:127.0.0.1` -> docker, 127.0.0.1 */
function namesIn(cause: Error): string[] {
  const parsed = v.safeParse(altNameSchema, cause);
  if (!parsed.success) return [];
  const { subjectaltname, subject } = parsed.output.cert;
  const names = subjectaltname?.split(', ').map((name) => name.replace(/^[A-Za-z ]+:/, ''));
  return (names ?? [subject?.CN ?? []].flat()).slice(0, MAX_NAMES);
}
