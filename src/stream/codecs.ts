import { DrayageError } from '../errors.ts';
import type { Compression } from '../oci/media-types.ts';
import { COMPRESSIONS } from '../oci/media-types.ts';
import { countBytes } from './drain.ts';
import type { Codec } from './codec.ts';
import { GZIP } from './gzip.ts';
import { ZSTD } from './zstd.ts';

const NONE: Codec = {
  // Not compressed, but hashed a block at a time.
  blockSize: 1024 * 1024,
  decompress: (bytes) => bytes,
  measure: countBytes,
  compressor: () => async (block) => block,
};

/** All that is known of each compression. A new one is a row here, and its name in {@link COMPRESSIONS}. */
export const CODECS: Readonly<Record<Compression, Codec>> = { none: NONE, gzip: GZIP, zstd: ZSTD };

/** How many of the first bytes tell a compression. */
export const MAGIC_BYTES: number = 10;

/** Compressions that are recognised so that they can be refused by name. */
export type ForeignCompression = 'xz' | 'bzip2' | 'lz4';

const FOREIGN: readonly (readonly [ForeignCompression, RegExp])[] = [
  ['xz', /^fd377a585a00/],
  // "BZh" alone could begin a file name in a tar, so the magic of the first block (or of the end) is looked at as well.
  ['bzip2', /^425a683[1-9](?:314159265359|177245385090)/],
  // The frame format and the legacy format.
  ['lz4', /^(?:04224d18|02214c18)/],
];

/** Says by the first bytes (up to {@link MAGIC_BYTES}) how the rest is compressed; `none` where nothing is recognised. */
export function detectCompression(head: Uint8Array): Compression | ForeignCompression {
  const hex = Buffer.from(head.subarray(0, MAGIC_BYTES)).toString('hex');
  const own = COMPRESSIONS.find((name) => CODECS[name].magic?.test(hex));
  return own ?? FOREIGN.find(([, magic]) => magic.test(hex))?.[0] ?? 'none';
}

/** Whether content that is compressed so is read here. */
export function isReadable(detected: Compression | ForeignCompression): detected is Compression {
  return Object.hasOwn(CODECS, detected);
}

/**
 * Narrows to the compressions that are read here.
 * @param what names the content in errors
 * @throws {@link DrayageError} `UNSUPPORTED` for xz, bzip2 and lz4
 */
export function refuseForeign(detected: Compression | ForeignCompression, what: string): Compression {
  if (isReadable(detected)) return detected;
  const readable = COMPRESSIONS.filter((name) => name !== 'none').join(' or ');
  throw new DrayageError('UNSUPPORTED', `${what} is compressed with ${detected}, which is not read here`, {
    expected: `no compression, ${readable}`,
    actual: detected,
    hint: `decompress it with ${detected}, or compress it with ${readable}`,
  });
}
