import { DrayageError } from '../errors.ts';
import type { Compression } from '../oci/media-types.ts';
import { COMPRESSIONS } from '../oci/media-types.ts';
import { countBytes } from './drain.ts';
import type { Codec } from './codec.ts';
import { GZIP } from './gzip.ts';
import { ZSTD } from './zstd.ts';

const NONE: Codec = {
  // Not compressed, but hashed one block at a time.
  blockSize: 1024 * 1024,
  decompress: (bytes) => bytes,
  measure: countBytes,
  compressor: () => async (block) => [block],
};

/** Everything that is specific to a compression. A new one is a row here, and its name in {@link COMPRESSIONS}. */
export const CODECS: Readonly<Record<Compression, Codec>> = { none: NONE, gzip: GZIP, zstd: ZSTD };

/** How many of the first bytes identify a compression. */
export const MAGIC_BYTES: number = 10;

/** Compressions that are recognised in order to refuse them by name. */
export type ForeignCompression = 'xz' | 'bzip2' | 'lz4';

const FOREIGN: readonly (readonly [ForeignCompression, RegExp])[] = [
  ['xz', /^fd377a585a00/],
  // "BZh" alone could begin a file name in a tar, so the magic of the first block (or of the end) is checked as well.
  ['bzip2', /^425a683[1-9](?:314159265359|177245385090)/],
  // The frame format and the legacy format.
  ['lz4', /^(?:04224d18|02214c18)/],
];

/** Detects the compression by the first bytes (up to {@link MAGIC_BYTES}); `none` if nothing is recognised. */
export function detectCompression(head: Uint8Array): Compression | ForeignCompression {
  const hex = Buffer.from(head.subarray(0, MAGIC_BYTES)).toString('hex');
  const own = COMPRESSIONS.find((name) => CODECS[name].magic?.test(hex));
  return own ?? FOREIGN.find(([, magic]) => magic.test(hex))?.[0] ?? 'none';
}

/** Whether content with this compression can be read here. */
export function isReadable(detected: Compression | ForeignCompression): detected is Compression {
  return Object.hasOwn(CODECS, detected);
}

/**
 * Narrows to the compressions that can be read here.
 * @param what names the content in errors
 * @throws {@link DrayageError} `UNSUPPORTED` for xz, bzip2 and lz4
 */
export function refuseForeign(detected: Compression | ForeignCompression, what: string): Compression {
  if (isReadable(detected)) return detected;
  const readable = COMPRESSIONS.filter((name) => name !== 'none').join(' or ');
  throw new DrayageError('UNSUPPORTED', `${what} is compressed with ${detected}, which is not supported`, {
    expected: `no compression, ${readable}`,
    actual: detected,
    hint: `decompress it with ${detected}, or compress it with ${readable}`,
  });
}
