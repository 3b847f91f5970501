import { DrayageError } from '../errors.ts';
import type { Compression } from '../oci/media-types.ts';
import { nativeZstd } from '../stream/zstd-runtime.ts';

/** What may be asked for: `auto` is zstd where the runtime has it built in, else gzip. */
export type CodecName = Compression | 'auto';

/** How layers are compressed. */
export interface Codec {
  compression: Compression;
  /** gzip: 1 to 9; zstd: 1 to 19; of no meaning for `none`. */
  level: number;
}

const DEFAULT_LEVEL: Record<Compression, number> = { none: 0, gzip: 1, zstd: 1 };
const MAX_LEVEL: Record<Compression, number> = { none: 0, gzip: 9, zstd: 19 };

/** The Node versions whose zlib has zstd. */
const ZSTD_NODES = 'Node 22.15 or newer';

/**
 * Settles how layers are to be compressed.
 * @param name default `auto`
 * @param level default 1 for gzip and zstd: layers are sent once, soon after, to a machine nearby
 * @throws {@link DrayageError} `USAGE` for a level out of range; `UNSUPPORTED` for zstd on a runtime that cannot write it
 */
export function chooseCodec(name: CodecName = 'auto', level?: number): Codec {
  const available = nativeZstd() !== undefined;
  if (name === 'zstd' && !available) {
    throw new DrayageError('UNSUPPORTED', `zstd cannot be written by Node ${process.versions.node}`, {
      hint: `use ${ZSTD_NODES}, or --compress gzip`,
    });
  }
  const compression = name === 'auto' ? (available ? 'zstd' : 'gzip') : name;
  const settled = level ?? DEFAULT_LEVEL[compression];
  if (
    compression !== 'none' &&
    !(Number.isInteger(settled) && settled >= 1 && settled <= MAX_LEVEL[compression])
  ) {
    throw new DrayageError('USAGE', `no ${compression} level: ${settled}`, {
      hint: `use 1 to ${MAX_LEVEL[compression]}`,
    });
  }
  return { compression, level: settled };
}
