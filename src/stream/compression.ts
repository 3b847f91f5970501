import { DrayageError } from '../errors.ts';
import type { Compression } from '../oci/media-types.ts';
import { ByteReader } from './byte-reader.ts';

/** Compressions that are recognised so that they can be refused by name. */
export type ForeignCompression = 'xz' | 'bzip2' | 'lz4';

/** How many of the first bytes {@link detectCompression} looks at. */
export const DETECT_BYTES: number = 10;

const MAGIC: readonly (readonly [Compression | ForeignCompression, RegExp])[] = [
  ['gzip', /^1f8b/],
  // A skippable frame may come first: pzstd and seekable formats write one.
  ['zstd', /^(?:28b52ffd|5[0-9a-f]2a4d18)/],
  ['xz', /^fd377a585a00/],
  // "BZh" alone could begin a file name in a tar, so the magic of the first block (or of the end) is looked at as well.
  ['bzip2', /^425a683[1-9](?:314159265359|177245385090)/],
  // The frame format and the legacy format.
  ['lz4', /^(?:04224d18|02214c18)/],
];

/** Says by the first bytes (up to {@link DETECT_BYTES}) how the rest is compressed; `none` where nothing is recognised. */
export function detectCompression(head: Uint8Array): Compression | ForeignCompression {
  const hex = Buffer.from(head.subarray(0, DETECT_BYTES)).toString('hex');
  return MAGIC.find(([, magic]) => magic.test(hex))?.[0] ?? 'none';
}

/**
 * Narrows to the compressions that are read here.
 * @param what names the content in errors
 * @throws {@link DrayageError} `UNSUPPORTED` for xz, bzip2 and lz4
 */
export function refuseForeign(detected: Compression | ForeignCompression, what: string): Compression {
  if (detected === 'none' || detected === 'gzip' || detected === 'zstd') return detected;
  throw new DrayageError('UNSUPPORTED', `${what} is compressed with ${detected}, which is not read here`, {
    expected: 'no compression, gzip or zstd',
    actual: detected,
    hint: `decompress it with ${detected}, or compress it with gzip or zstd`,
  });
}

/** Content whose first bytes have been looked at. */
export interface Peeked {
  /** The first bytes: as many as were asked for, fewer where the content is shorter. */
  head: Uint8Array;
  /** The whole content, from its first byte. To be read or returned, else the source stays open. */
  bytes: AsyncGenerator<Uint8Array, void, undefined>;
}

/** Looks at the first `count` bytes without losing them. Errors of the source come through as they are. */
export async function peek(bytes: AsyncIterable<Uint8Array>, count: number): Promise<Peeked> {
  const reader = new ByteReader(bytes);
  const head = await reader.read(count);
  const whole = replay(head, reader);
  // A generator that never ran would not clean up when it is returned: this takes it into its `try`.
  await whole.next();
  return { head, bytes: whole };
}

async function* replay(head: Uint8Array, reader: ByteReader): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield new Uint8Array(0);
    if (head.length > 0) yield head;
    yield* reader.rest();
  } finally {
    await reader.release();
  }
}
