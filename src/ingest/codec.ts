import { DrayageError } from '../errors.ts';
import type { Compression } from '../oci/media-types.ts';
import { COMPRESSIONS } from '../oci/media-types.ts';
import type { CompressBlock } from '../stream/codec.ts';
import { CODECS } from '../stream/codecs.ts';

/** The codecs to choose from: `auto` is zstd if the runtime has it built in, else gzip. */
export type CodecName = Compression | 'auto';

/** How layers are compressed. */
export interface ChosenCodec {
  compression: Compression;
  /** Uncompressed bytes per block. */
  blockSize: number;
  compress: CompressBlock;
}

/**
 * Chooses how layers are compressed.
 * @param name default `auto`
 * @param level default 1 for gzip and zstd: layers are sent once, soon, to a machine nearby
 * @throws {@link DrayageError} `USAGE` for a level out of range, and for a codec that this runtime cannot write
 */
export function chooseCodec(name: CodecName = 'auto', level?: number): ChosenCodec {
  const compression = name === 'auto' ? best() : name;
  const codec = CODECS[compression];
  const { blockSize, levels } = codec;
  const settled = level ?? levels?.byDefault ?? 0;
  const compress = codec.compressor(settled);
  if (compress === undefined) {
    throw new DrayageError('USAGE', `${name} cannot be written by Node ${process.versions.node}`, {
      reason: 'NO_CODEC',
      name: best(),
      hint: `use ${codec.writtenBy}, or ${best()}`,
    });
  }
  if (levels !== undefined && !(Number.isInteger(settled) && settled >= 1 && settled <= levels.max)) {
    throw new DrayageError('USAGE', `no ${compression} level: ${settled}`, {
      hint: `use 1 to ${levels.max}`,
    });
  }
  return { compression, blockSize, compress };
}

/**
 * The compression that a save chooses.
 * @throws {@link DrayageError} `USAGE` for a level out of range, and for a codec that this runtime cannot write
 */
export function chosenCompression(name?: CodecName, level?: number): Compression {
  return chooseCodec(name, level).compression;
}

/** The last codec of the list that this runtime can write. */
function best(): Compression {
  return COMPRESSIONS.findLast((name) => CODECS[name].compressor(1) !== undefined) ?? 'none';
}
