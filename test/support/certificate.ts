import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from './temporary-folder.ts';

/** A certificate that signs itself, for 127.0.0.1. */
export interface TestCertificate {
  key: string;
  cert: string;
  /** Where the certificate is. */
  path: string;
}

/** Makes a certificate; it lasts as long as the test. */
export async function makeCertificate(): Promise<TestCertificate> {
  const folder = await temporaryFolder();
  const [key, path] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const subject = [
    '-subj',
    '/CN=127.0.0.1',
    '-addext',
    'subjectAltName=IP:127.0.0.1,IP:0.0.0.0',
    '-days',
    '2',
  ];
  execFileSync('openssl', ['req', '-x509', ...curve, ...subject, '-keyout', key, '-out', path], {
    stdio: 'ignore',
  });
  return { key: readFileSync(key, 'utf8'), cert: readFileSync(path, 'utf8'), path };
}
