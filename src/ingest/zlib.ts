import { gzipSync } from 'node:zlib';
import { DrayageError } from '../errors.ts';
import type { CallZlib } from '../stream/codec.ts';
import { nativeZstd } from '../stream/zstd-runtime.ts';
import { hasRoomForThreads } from './block-memory.ts';
import type { Threads } from './threads.ts';

/** Up to this many bytes, a thread costs more than it saves. */
const SMALL = 256 * 1024;

/** Makes calls of zlib on threads; here without them, without memory for them, and for small blocks. */
export function zlibOn(threads: Threads | undefined): CallZlib {
  return async (call, block) => {
    if (threads === undefined || block.length < SMALL || !hasRoomForThreads()) return callZlib(call, block);
    const turn = threads.take();
    try {
      const made = await turn.run({ kind: 'zlib', call, bytes: block });
      if (typeof made !== 'object') throw new DrayageError('IO', 'a thread returned no bytes');
      return made;
    } finally {
      turn.release();
    }
  };
}

/** Makes a call on this thread, which runs nothing else meanwhile. */
const callZlib: CallZlib = async (call, block) => {
  if (call.name === 'gzipSync') return gzipSync(block, call.options);
  const zstd = nativeZstd();
  if (zstd === undefined) throw new TypeError('this runtime cannot write zstd');
  return zstd.zstdCompressSync(block, call.options);
};
