import { expect, test } from 'vitest';
import { signingError } from '../../src/attest/signing-error.ts';

const URL_OF_SERVICE = 'https://fulcio.example';

/** The error of a service that cannot be connected, as its client makes it. */
function failed(code: string): Error {
  const cause = Object.assign(new Error(`request failed, reason: ${code}`), { code, type: 'system' });
  return Object.assign(new Error('signing failed', { cause }), {
    code: 'CA_CREATE_SIGNING_CERTIFICATE_ERROR',
  });
}

test.each([
  ['SELF_SIGNED_CERT_IN_CHAIN', 'its certificate authority is not known', 'NODE_EXTRA_CA_CERTS', false],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'its certificate is self-signed', 'NODE_EXTRA_CA_CERTS', false],
  ['CERT_HAS_EXPIRED', 'its certificate has expired', 'check the clocks', false],
  ['CERT_NOT_YET_VALID', 'its certificate is not valid yet', 'check the clocks', false],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'its certificate is for another host', 'check the address', false],
  ['CERT_REVOKED', 'its certificate is not valid', 'another certificate', false],
  ['ERR_SSL_WRONG_VERSION_NUMBER', 'it does not speak TLS', 'plain http', false],
  ['ERR_SSL_UNSUPPORTED_PROTOCOL', 'it speaks no version of TLS', 'TLS 1.2', false],
  ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', 'it refuses this client', 'certificate of its clients', false],
  ['ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR', 'TLS failed', 'try again', true],
])('a service whose TLS fails with %s: %s', (code, why, hint, retryable) => {
  const error = signingError(failed(code), { fulcioUrl: URL_OF_SERVICE });
  expect(error.message).toContain(`the certificate authority at ${URL_OF_SERVICE} cannot be reached: ${why}`);
  expect(error.facts).toMatchObject({ url: URL_OF_SERVICE, actual: code });
  expect(error.hint).toContain(hint);
  expect(error.retryable).toBe(retryable);
  expect(error.hint?.includes('NODE_EXTRA_CA_CERTS')).toBe(hint === 'NODE_EXTRA_CA_CERTS');
});
