/** Certificates as docker:dind makes them for itself and its clients: by openssl. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './run-command.ts';

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
const { PATH = '' } = process.env;

/** Makes an authority: `ca.pem` and `ca-key.pem` in a folder. */
export async function makeAuthority(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const files = ['-keyout', join(folder, 'ca-key.pem'), '-out', join(folder, 'ca.pem')];
  await openssl(['req', '-x509', ...NEW_KEY, '-days', '2', '-subj', '/CN=Test authority', ...files]);
}

/**
 * Makes `cert.pem` and `key.pem` in a folder.
 * @param extension `subjectAltName=DNS:docker`, `extendedKeyUsage=clientAuth`
 */
export async function issue(authority: string, folder: string, extension: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const path = (name: string): string => join(folder, name);
  const files = ['-keyout', path('key.pem'), '-out', path('csr.pem')];
  await openssl(['req', '-new', ...NEW_KEY, '-subj', '/CN=Test', ...files]);
  await writeFile(path('extension'), extension);
  const issuer = [
    '-CA',
    join(authority, 'ca.pem'),
    '-CAkey',
    join(authority, 'ca-key.pem'),
    '-CAcreateserial',
  ];
  const request = ['-in', path('csr.pem'), '-extfile', path('extension'), '-days', '2'];
  await openssl(['x509', '-req', ...request, ...issuer, '-out', path('cert.pem')]);
}

async function openssl(args: readonly string[]): Promise<void> {
  const { code, stderr } = await run('openssl', args, { env: { PATH } });
  if (code !== 0) throw new Error(`openssl ${args[0]} ended with ${code}: ${stderr}`);
}
