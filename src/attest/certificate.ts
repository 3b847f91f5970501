import { X509Certificate } from 'node:crypto';
import { refusal } from './refusal.ts';

/** What a certificate of Fulcio states about a job (fulcio, docs/oid-info.md); each if present. */
export interface CertificateFacts {
  /** The signer: the subject alternative name. */
  identity: string;
  /** The instance that vouched for the identity. */
  issuer: string | undefined;
  runnerEnvironment: string | undefined;
  /** The project's address. */
  source: string | undefined;
  commit: string | undefined;
  /** The full name of the ref. */
  ref: string | undefined;
  /** The trigger of the pipeline: `push`, `merge_request_event`, … */
  trigger: string | undefined;
  /** Address of the job. */
  invocation: string | undefined;
}

const FULCIO = '1.3.6.1.4.1.57264.1';
const CODE_SIGNING = '1.3.6.1.5.5.7.3.3';
const UTF8_STRING = 0x0c;
/** The maximum length of an identity, which bounds the matching of patterns. */
const MAX_IDENTITY = 2048;

/**
 * Reads a verified certificate.
 * @param raw DER
 * @param extensions by object identifier, with the content of each
 * @throws {@link DrayageError} `POLICY`
 */
export function certificateFacts(
  raw: Buffer,
  identity: string | undefined,
  extensions: readonly (readonly [oid: string, value: Buffer])[],
): CertificateFacts {
  if (!new X509Certificate(raw).keyUsage?.includes(CODE_SIGNING)) {
    throw refusal('CERTIFICATE_USE', 'the certificate is not for code signing');
  }
  if (identity === undefined || identity.length > MAX_IDENTITY) {
    throw refusal('IDENTITY', 'the certificate has no readable identity');
  }
  const values = new Map<string, Buffer>();
  for (const [oid, value] of extensions) {
    if (values.has(oid)) throw refusal('CERTIFICATE_EXTENSION', `the certificate has ${oid} twice`);
    values.set(oid, value);
  }
  const read = (n: number): string | undefined => utf8String(values.get(`${FULCIO}.${n}`), n);
  return {
    identity,
    // In older certificates the issuer is bare text, not a DER string.
    issuer: read(8) ?? values.get(`${FULCIO}.1`)?.toString('utf8'),
    runnerEnvironment: read(11),
    source: read(12),
    commit: read(13),
    ref: read(14),
    trigger: read(20),
    invocation: read(21),
  };
}

/** The text of a DER UTF8String that fills its bytes. */
function utf8String(der: Buffer | undefined, n: number): string | undefined {
  if (der === undefined) return undefined;
  const [tag, first = 0xff] = der;
  const octets = first < 0x80 ? 0 : first & 0x7f;
  const isRead = tag === UTF8_STRING && octets <= 2 && der.length >= 2 + octets;
  const length = octets === 0 ? first : isRead ? der.readUIntBE(2, octets) : -1;
  if (isRead && der.length === 2 + octets + length) return der.toString('utf8', 2 + octets);
  throw refusal('CERTIFICATE_EXTENSION', `the certificate's extension ${FULCIO}.${n} is not text`);
}
