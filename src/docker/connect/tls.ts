import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { DrayageError } from '../../errors.ts';
import { systemCode } from '../../system-error.ts';
import { readIfThere } from './files.ts';

/** TLS to a daemon. */
export interface DockerTls {
  /**
   * A folder in docker's form. `ca.pem` is the authority of the daemon's certificate; without it, the authorities that
   * the runtime trusts. `cert.pem` and `key.pem` are the client's certificate. Default: none of these.
   */
  certPath?: string | undefined;
  /** Whether to verify the daemon's certificate. Default true; docker's DOCKER_TLS=1 means false. */
  verify?: boolean | undefined;
}

/**
 * The content of a folder of certificates, in PEM. `cert` and `key` are either both present, and match, or both absent.
 */
export interface TlsMaterial {
  certPath?: string | undefined;
  verify: boolean;
  ca?: Buffer | undefined;
  cert?: Buffer | undefined;
  key?: Buffer | undefined;
}

const FILES = ['ca.pem', 'cert.pem', 'key.pem'];

/**
 * Reads the certificates.
 * @throws {@link DrayageError} `NOT_FOUND` if the folder has no certificate, or only one of `cert.pem` and `key.pem`;
 * `MALFORMED` if a file is not PEM, or the two do not match; `IO`
 */
export async function readTls({ certPath, verify = true }: DockerTls): Promise<TlsMaterial> {
  if (certPath === undefined) return { verify };
  const [ca, cert, key] = await Promise.all(FILES.map((name) => readPem(join(certPath, name))));
  const found = [ca, cert, key].filter((pem) => pem !== undefined);
  if (verify && found.length === 0) throw missing(certPath, FILES);
  if (cert === undefined && key !== undefined) throw missing(certPath, ['cert.pem']);
  if (cert !== undefined && key === undefined) throw missing(certPath, ['key.pem']);
  const material = { certPath, verify, ca, cert, key };
  assertUsable(material);
  return material;
}

/** Whether the authority and the client's certificate are both there. */
export function isComplete({ ca, cert }: TlsMaterial): boolean {
  return ca !== undefined && cert !== undefined;
}

/** An empty file counts as absent: somebody is about to write it. */
async function readPem(path: string): Promise<Buffer | undefined> {
  const pem = await readIfThere(path, `the certificate ${path} cannot be read`);
  return pem?.length === 0 ? undefined : pem;
}

/** Node silently ignores an authority that is not a certificate. */
function assertUsable({ certPath = '', ca, cert, key }: TlsMaterial): void {
  try {
    if (ca !== undefined) void new X509Certificate(ca);
  } catch (cause) {
    throw malformed(certPath, 'ca.pem is not a certificate in PEM', cause);
  }
  try {
    if (cert !== undefined && key !== undefined) createSecureContext({ cert, key });
  } catch (cause) {
    const isMismatch = systemCode(cause) === 'ERR_OSSL_X509_KEY_VALUES_MISMATCH';
    const reason = isMismatch
      ? 'key.pem is not the key of cert.pem'
      : 'cert.pem and key.pem are not a certificate and an unencrypted key in PEM';
    throw malformed(certPath, reason, cause);
  }
}

function malformed(certPath: string, reason: string, cause: unknown): DrayageError {
  return new DrayageError('MALFORMED', `the certificates in ${certPath} cannot be used: ${reason}`, {
    path: certPath,
    cause,
  });
}

function missing(certPath: string, names: string[]): DrayageError {
  const listed = names.length === 1 ? `${names[0]} is` : `${names.join(', ')} are`;
  return new DrayageError('NOT_FOUND', `certificates for docker are missing: ${listed} not in ${certPath}`, {
    path: certPath,
    hint: 'set DOCKER_CERT_PATH to the folder of ca.pem, cert.pem and key.pem',
  });
}
