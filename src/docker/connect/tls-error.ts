import * as v from 'valibot';
import { DrayageError } from '../../errors.ts';
import { systemCode } from '../../system-error.ts';
import type { ErrorCode, ErrorFacts } from '../../errors.ts';
import type { TlsFailure } from '../../http/tls-failure.ts';
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

/** A failure in words: the code of the error, what is wrong, what to do, and further facts. */
type Told = readonly [code: ErrorCode, message: string, hint: string, facts?: ErrorFacts];

/** What failed, and where. */
interface Failed {
  name: string;
  tls: TlsMaterial;
  cause: Error;
}

const TOLD: Readonly<Record<TlsFailure, (failed: Failed) => Told>> = {
  name: otherName,
  authority: unknownAuthority,
  'self-signed': unknownAuthority,
  expired: ({ name }) => outOfTime(name, 'has expired'),
  'not-yet-valid': ({ name }) => outOfTime(name, 'is not valid yet'),
  certificate: ({ name, cause }) => [
    'UNSAFE',
    `the certificate of docker at ${name} is not valid: ${cause.message}`,
    'the daemon needs another certificate',
  ],
  refused: ({ name, tls }) => ['USAGE', `docker at ${name} refuses ${shown(tls)}`, certificateHint(tls)],
  'no-tls': ({ name }) => [
    'UNSUPPORTED',
    `the server at ${name} does not speak TLS`,
    'docker speaks TLS on port 2376 as a rule; without TLS: unset DOCKER_TLS_VERIFY and DOCKER_TLS, port 2375',
  ],
  version: failedTls,
  other: failedTls,
};

/** The error for a failure of TLS; undefined for any other failure. */
export function tlsError({ name }: DockerHost, tls: TlsMaterial, cause: Error): DrayageError | undefined {
  const failure = tlsFailure(systemCode(cause) ?? '');
  if (failure === undefined) return undefined;
  const [code, message, hint, facts] = TOLD[failure]({ name, tls, cause });
  return new DrayageError(code, message, { url: name, cause, hint, ...facts });
}

function otherName({ name, cause }: Failed): Told {
  const names = namesIn(cause);
  return [
    'UNSAFE',
    `the certificate of docker at ${name} is for ${names.join(', ') || 'no name'}, not for this one`,
    'add this name to it (docker:dind: DOCKER_TLS_SAN: DNS:name), or use one of its names in DOCKER_HOST',
    { candidates: names, reason: 'DAEMON_ADDRESS' },
  ];
}

function unknownAuthority({ name, tls }: Failed): Told {
  return [
    'UNSAFE',
    `the certificate of docker at ${name} is not from ${authority(tls)}`,
    'set DOCKER_CERT_PATH to the folder with the ca.pem of this daemon',
  ];
}

function outOfTime(name: string, when: string): Told {
  return [
    'UNSAFE',
    `the certificate of docker at ${name}, or its authority's, ${when}`,
    'renew it, or correct the clock of this machine',
  ];
}

function failedTls({ name, cause }: Failed): Told {
  return [
    'UNREACHABLE',
    `TLS with docker at ${name} failed: ${cause.message}`,
    'the log of the daemon says more',
  ];
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
