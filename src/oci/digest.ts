import { createHash } from 'node:crypto';
import { DrayageError } from '../errors.ts';

/** The algorithms that are read. Digests that are computed here are sha256. */
export type DigestAlgorithm = 'sha256' | 'sha512';

/** A content digest, `<algorithm>:<lower-case hex>` (OCI image-spec, descriptor.md#digests). */
export type Digest = `${DigestAlgorithm}:${string}`;

const SHAPE = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

/** Whether `text` is a well-formed digest: known algorithm, lower-case hex of the full length. */
export function isDigest(text: string): text is Digest {
  return SHAPE.test(text);
}

/**
 * Parses a digest.
 * @throws {@link DrayageError} `MALFORMED` for short, upper-case or unknown-algorithm digests
 */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text;
  throw new DrayageError('MALFORMED', `not a digest: ${JSON.stringify(text.slice(0, 160))}`, {
    expected: 'sha256:<64 lower-case hex digits>',
    actual: text.slice(0, 160),
  });
}

/** The algorithm of a digest: the folder under `blobs/` in a layout. */
export function digestAlgorithm(digest: Digest): DigestAlgorithm {
  return digest.startsWith('sha256:') ? 'sha256' : 'sha512';
}

/** The hex of a digest: the file name under `blobs/<algorithm>/` in a layout. */
export function digestHex(digest: Digest): string {
  return digest.slice(digest.indexOf(':') + 1);
}

/** The first 12 hex digits, as docker shows image IDs. */
export function shortDigest(digest: Digest): string {
  return digestHex(digest).slice(0, 12);
}

/** A running digest over bytes that arrive in pieces. */
export interface Digester {
  /** Takes the next bytes. */
  update(chunk: Uint8Array): void;
  /** Ends the digest; call once. */
  digest(): Digest;
}

/** Starts a digest over bytes that arrive in pieces. */
export function createDigester(algorithm: DigestAlgorithm = 'sha256'): Digester {
  const hash = createHash(algorithm);
  return {
    update: (chunk) => void hash.update(chunk),
    digest: () => `${algorithm}:${hash.digest('hex')}`,
  };
}

/** The digest of bytes that are all in memory. */
export function digestOf(bytes: Uint8Array, algorithm: DigestAlgorithm = 'sha256'): Digest {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;
}
