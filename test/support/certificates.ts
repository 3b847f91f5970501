/** X.509 certificates for tests, made while they run: neither keys nor dates of expiry lie in the repository. */
import type { KeyObject } from 'node:crypto';
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { isIP } from 'node:net';

/** A certificate and its key, in PEM. */
export interface Identity {
  cert: string;
  key: string;
}

/** What a certificate says. */
export interface CertificateOptions {
  /** DNS names and IPv4 addresses it is for. */
  names?: string[];
  /** Default: an hour ago. */
  notBefore?: Date;
  /** Default: in an hour. */
  notAfter?: Date;
}

const HOUR = 3_600_000;
const ECDSA_SHA256 = sequence(oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02));

/** An authority that issues certificates. */
export class Authority {
  /** Its own certificate, in PEM. */
  readonly cert: string;
  readonly #name: Buffer;
  readonly #key: KeyObject;

  constructor(name = 'Test authority') {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.#name = distinguishedName(name);
    this.#key = privateKey;
    const isAuthority = sequence(der(0x01, Buffer.from([0xff])));
    this.cert = this.#sign(this.#name, publicKey, [extension([0x55, 0x1d, 0x13], isAuthority)], {});
  }

  /** Issues a certificate for a new key. */
  issue(options: CertificateOptions = {}): Identity {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const names = (options.names ?? []).map((name) =>
      isIP(name) === 4 ? der(0x87, Buffer.from(name.split('.').map(Number))) : der(0x82, Buffer.from(name)),
    );
    const extensions = names.length === 0 ? [] : [extension([0x55, 0x1d, 0x11], sequence(...names))];
    const cert = this.#sign(distinguishedName('Test'), publicKey, extensions, options);
    return { cert, key: String(privateKey.export({ type: 'pkcs8', format: 'pem' })) };
  }

  #sign(subject: Buffer, key: KeyObject, extensions: Buffer[], options: CertificateOptions): string {
    const { notBefore = new Date(Date.now() - HOUR), notAfter = new Date(Date.now() + HOUR) } = options;
    const content = sequence(
      der(0xa0, der(0x02, Buffer.from([2]))),
      der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
      ECDSA_SHA256,
      this.#name,
      sequence(utcTime(notBefore), utcTime(notAfter)),
      subject,
      key.export({ type: 'spki', format: 'der' }),
      ...(extensions.length === 0 ? [] : [der(0xa3, sequence(...extensions))]),
    );
    const signature = der(0x03, Buffer.concat([Buffer.from([0]), sign('sha256', content, this.#key)]));
    const base64 = sequence(content, ECDSA_SHA256, signature).toString('base64');
    const lines = base64.replaceAll(/.{64}/g, '$&\n').trim();
    return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
  }
}

function der(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

function sequence(...parts: Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts));
}

function oid(...bytes: number[]): Buffer {
  return der(0x06, Buffer.from(bytes));
}

function distinguishedName(commonName: string): Buffer {
  return sequence(der(0x31, sequence(oid(0x55, 0x04, 0x03), der(0x0c, Buffer.from(commonName)))));
}

function extension(id: number[], content: Buffer): Buffer {
  return sequence(oid(...id), der(0x04, content));
}

/** `251121060000Z` */
function utcTime(date: Date): Buffer {
  return der(0x17, Buffer.from(date.toISOString().replaceAll(/^20|\.\d+|[-:T]/g, '')));
}
