import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Codec } from './codec.ts';
import { outputSize } from './codec.ts';
import { gunzip } from './gunzip.ts';
import { gunzippedSize, statingSize } from './gzip-members.ts';

/** gzip: one member per block. */
export const GZIP: Codec = {
  magic: /^1f8b/,
  blockSize: 1024 * 1024,
  levels: { max: 9, byDefault: 1 },
  decompress: gunzip,
  measure: gunzippedSize,
  compressor: (level) => {
    const run = promisify<Uint8Array, { level: number; chunkSize: number }, Buffer>(gzip);
    return async (block) => statingSize(await run(block, { level, chunkSize: outputSize(block) }));
  },
};
