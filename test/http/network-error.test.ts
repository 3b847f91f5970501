import { expect, test } from 'vitest';
import { isDrayageError } from '../../src/errors.ts';
import type { DrayageError } from '../../src/errors.ts';
import { isLasting, networkError } from '../../src/http/network-error.ts';

const URL_OF_SERVER = 'https://registry.example/v2/';

/** The error of a call of the system, as Node makes it. */
function failed(code: string, syscall = 'connect'): Error {
  return Object.assign(new Error(`${syscall} ${code} 10.0.0.1:443`), { code, syscall });
}

function told(cause: Error): DrayageError {
  const error = networkError(URL_OF_SERVER, cause);
  return isDrayageError(error) ? error : expect.fail(`not told: ${cause.message}`);
}

test.each([
  ['ECONNREFUSED', 'nothing listens there', false],
  ['EHOSTUNREACH', 'no route to this host', false],
  ['EHOSTDOWN', 'the host is down', false],
  ['ENETUNREACH', 'no route to this network', false],
  ['ENETDOWN', 'the network is down', false],
  ['ECONNRESET', 'the connection was closed midway', false],
  ['EPIPE', 'the connection was closed midway', false],
  ['ENETRESET', 'the connection was closed midway', false],
  ['EAI_AGAIN', 'the name of the host cannot be resolved now', false],
  ['ENOTFOUND', 'there is no such host', true],
  ['EADDRNOTAVAIL', 'its name leads to an address in a network of this job by now', false],
  ['EPROTO', 'it does not speak TLS', true],
  ['CERT_HAS_EXPIRED', 'its certificate has expired', true],
  ['CERT_NOT_YET_VALID', 'its certificate is not valid yet', true],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'its certificate is self-signed', true],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'its certificate authority is not known', true],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'its certificate authority is not known', true],
  ['INVALID_CA', 'its certificate authority is not known', true],
  ['CERT_REVOKED', 'its certificate is not valid', true],
  ['INVALID_PURPOSE', 'its certificate is not valid', true],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'its certificate is for another host', true],
  ['ERR_SSL_WRONG_VERSION_NUMBER', 'it does not speak TLS', true],
  ['ERR_SSL_UNSUPPORTED_PROTOCOL', 'it speaks no version of TLS that is supported here', true],
  ['ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', 'it speaks no version of TLS that is supported here', true],
  ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 'it refuses this client in the TLS handshake', true],
  ['ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE', 'it refuses this client in the TLS handshake', true],
  ['ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_UNKNOWN', 'it refuses this client in the TLS handshake', true],
  ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', 'it refuses this client in the TLS handshake', true],
  ['ERR_SSL_TLSV1_ALERT_ACCESS_DENIED', 'it refuses this client in the TLS handshake', true],
  ['ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE', 'it refuses this client in the TLS handshake', true],
  // A balancer that is overloaded, and damage on the way.
  ['ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR', 'TLS failed', false],
  ['ERR_SSL_SSLV3_ALERT_BAD_RECORD_MAC', 'TLS failed', false],
  ['ERR_SSL_TLSV1_ALERT_DECODE_ERROR', 'TLS failed', false],
  ['ERR_SSL_BAD_DECRYPT', 'TLS failed', false],
  // A firewall, the limits of this process, and any code that nobody has thought of.
  ['EPERM', 'not permitted (EPERM)', false],
  ['EACCES', 'permission denied (EACCES)', false],
  ['EMFILE', 'too many open files (EMFILE)', false],
  ['ENFILE', 'too many open files (ENFILE)', false],
  ['EAFNOSUPPORT', 'EAFNOSUPPORT', false],
  ['EAI_FAIL', 'EAI_FAIL', false],
])('%s in words, as unreachable: %s', (code, why, lasting) => {
  const error = told(failed(code));
  expect(error).toMatchObject({ code: 'UNREACHABLE', message: `cannot reach ${URL_OF_SERVER}: ${why}` });
  expect(isLasting(error)).toBe(lasting);
});

test('a server that refuses this client may require a certificate, and no proxy helps', () => {
  const { hint } = told(failed('ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED'));
  expect(hint).toContain('may require a certificate of its clients');
  expect(hint).not.toContain('PROXY');
});

test('ETIMEDOUT is a timeout', () => {
  expect(told(failed('ETIMEDOUT'))).toMatchObject({
    code: 'TIMEOUT',
    message: `cannot reach ${URL_OF_SERVER}: no answer in time`,
  });
});

test('the failures of all addresses of a host are one', () => {
  const error = Object.assign(new AggregateError([failed('EMFILE'), failed('EHOSTDOWN')]), {
    code: 'EMFILE',
  });
  expect(told(error).message).toBe(`cannot reach ${URL_OF_SERVER}: too many open files (EMFILE)`);
});

test.each(['EIO', 'EMFILE', 'EACCES'])('%s of a file is not one of the network', (code) => {
  const error = failed(code, 'open');
  expect(networkError(URL_OF_SERVER, error)).toBe(error);
});
