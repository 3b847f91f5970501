import { promisify } from 'node:util';
import type { ZlibOptions } from 'node:zlib';
import { constants, gzip } from 'node:zlib';
import type { Codec } from './codec.ts';
import { outputSize } from './codec.ts';
import { gunzip } from './gunzip.ts';
import { gunzippedSize, statingSize } from './gzip-members.ts';

/** The maximum: a tenth less CPU time than by default, for 0.3 % of size, because fewer Huffman tables are made. */
const memLevel = constants.Z_MAX_MEMLEVEL;

/** gzip: one member per block. */
export const GZIP: Codec = {
  magic: /^1f8b/,
  blockSize: 1024 * 1024,
  levels: { max: 9, byDefault: 1 },
  decompress: gunzip,
  measure: gunzippedSize,
  compressor: (level) => {
    const run = promisify<Uint8Array, ZlibOptions, Buffer>(gzip);
    return async (block) => statingSize(await run(block, { level, memLevel, chunkSize: outputSize(block) }));
  },
};
