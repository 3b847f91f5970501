/**
 * What a TLS connection failed for:
 *
 * - `self-signed`, `authority`: nobody known here vouches for the certificate
 * - `expired`, `not-yet-valid`, `name`: it is for another time or host
 * - `certificate`: it is not valid for any other reason
 * - `no-tls`: the server does not speak TLS
 * - `version`: client and server have no version of TLS in common
 * - `refused`: the server refuses the client, for its certificate or for the lack of one, or finds no cipher in common
 * - `other`: anything else, such as damage on the way or an overloaded server; the only one that may pass
 */
export type TlsFailure =
  | 'self-signed'
  | 'authority'
  | 'expired'
  | 'not-yet-valid'
  | 'name'
  | 'certificate'
  | 'no-tls'
  | 'version'
  | 'refused'
  | 'other';

/** Checks of a certificate, by the codes of Node. */
const CHECKS: Readonly<Record<string, TlsFailure>> = {
  SELF_SIGNED_CERT_IN_CHAIN: 'authority',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'self-signed',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'authority',
  UNABLE_TO_GET_ISSUER_CERT: 'authority',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'authority',
  CERT_SIGNATURE_FAILURE: 'authority',
  CERT_UNTRUSTED: 'authority',
  INVALID_CA: 'authority',
  CERT_HAS_EXPIRED: 'expired',
  CERT_NOT_YET_VALID: 'not-yet-valid',
  ERR_TLS_CERT_ALTNAME_INVALID: 'name',
  HOSTNAME_MISMATCH: 'name',
};

/** Any other failure: the first pattern that its code matches. */
const OTHERS: readonly (readonly [RegExp, TlsFailure])[] = [
  [/^(?:ERR_SSL_(?:WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST)|EPROTO)$/, 'no-tls'],
  [/^ERR_SSL_.*(?:PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|INSUFFICIENT_SECURITY)$/, 'version'],
  [/^(?:CERT|CRL|ERROR_IN_C|INVALID|PATH_LENGTH|UNABLE_TO)/, 'certificate'],
  [/^ERR_SSL_.*ALERT_(?:.*CERTIFICATE.*|UNKNOWN_CA|ACCESS_DENIED|HANDSHAKE_FAILURE)$/, 'refused'],
  [/^ERR_(?:SSL|TLS)_/, 'other'],
];

/** What TLS failed for, by the code of the error; undefined for any other error. */
export function tlsFailure(code: string): TlsFailure | undefined {
  return CHECKS[code] ?? OTHERS.find(([pattern]) => pattern.test(code))?.[1];
}
