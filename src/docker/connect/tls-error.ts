import * as v from 'valibot';
import { DrayageError } from '../../errors.ts';
import { systemCode } from '../../system-error.ts';
import type { ErrorCode, ErrorFacts } from '../../errors.ts';
import { tlsFailure } from '../../http/tls-failure.ts';
import type { DockerHost } from './host.ts';
import type { TlsMaterial } from './tls.ts';

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
  const error = (kind: ErrorCode, message: string, hint: string, more?: ErrorFacts): DrayageError =>
    new DrayageError(kind, message, { url: host.name, cause, hint, ...more });
  const its = `the certificate of docker at ${host.name}`;
  const failure = tlsFailure(systemCode(cause) ?? '');
  switch (failure) {
    case undefined:
      return undefined;
    case 'name': {
      const names = namesIn(cause);
      return error(
        'UNSAFE',
        `${its} is for ${names.join(', ') || 'no name'}, not for this one`,
        'add this name to it (docker:dind: DOCKER_TLS_SAN: DNS:name), or use one of its names in DOCKER_HOST',
        { candidates: names, reason: 'DAEMON_ADDRESS' },
      );
    }
    case 'authority':
    case 'self-signed':
      return error(
        'UNSAFE',
        `${its} is not from ${authority(tls)}`,
        'set DOCKER_CERT_PATH to the folder with the ca.pem of this daemon',
      );
    case 'expired':
    case 'not-yet-valid': {
      const when = failure === 'expired' ? 'has expired' : 'is not valid yet';
      return error(
        'UNSAFE',
        `${its}, or its authority's, ${when}`,
        'renew it, or correct the clock of this machine',
      );
    }
    case 'certificate':
      return error(
        'UNSAFE',
        `${its} is not valid: ${cause.message}`,
        'make a certificate that is, for docker and its authority',
      );
    case 'refused':
      return error('USAGE', `docker at ${host.name} refuses ${shown(tls)}`, certificateHint(tls));
    case 'no-tls':
      return error(
        'UNSUPPORTED',
        `the server at ${host.name} does not speak TLS`,
        'docker speaks TLS on port 2376 as a rule; without TLS: unset DOCKER_TLS_VERIFY and DOCKER_TLS, port 2375',
      );
    case 'version':
    case 'other':
      return error(
        'UNREACHABLE',
        `TLS with docker at ${host.name} failed: ${cause.message}`,
        'the log of the daemon says more',
      );
  }
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
