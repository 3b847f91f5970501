import { DrayageError } from '../errors.ts';
import { ByteReader } from './byte-reader.ts';
import type { DecompressOptions } from './codec.ts';
import type { ZstdHeader } from './zstd-header.ts';
import { FRAME_MAGIC, MAX_BLOCK_SIZE, SKIPPABLE_MAGIC, headerSize, parseHeader } from './zstd-header.ts';

/** A piece of a frame as it is in the input. All pieces together are the frame. */
export interface ZstdPiece {
  /** The frame's header; or a block with its header, the last one with the checksum after it. */
  bytes: Uint8Array;
  /** The maximum of its decompressed bytes: at most 128 KiB. */
  maxOutput: number;
  /** Whether it is the last piece of the frame. */
  last: boolean;
}

/** A frame of a zstd stream. */
export interface ZstdFrame {
  header: ZstdHeader;
  /** The frame in pieces. Read it once, and before the next frame; unread pieces are skipped. */
  pieces: AsyncGenerator<ZstdPiece, void, undefined>;
}

/**
 * Decompresses one frame whose pieces are all present. Need not check the content size. May ignore the frame's
 * checksum, because every blob is checked against its digest, and its content against its diffID.
 * @param what names the content in errors
 * @throws {@link DrayageError} `MALFORMED`
 */
export type DecodeFrame = (
  frame: ZstdFrame,
  what: string,
  options?: Pick<DecompressOptions, 'freesChunks'>,
) => AsyncIterable<Uint8Array>;

/**
 * Walks the frames of a zstd stream (RFC 8878, section 3.1) without decompressing, in chunks of any size. Skips
 * skippable frames. Empty input has no frames, which is valid. Holds at most one block in memory.
 * @param what names the content in errors
 * @throws {@link DrayageError} `TRUNCATED` if it ends within a frame; `MALFORMED` for bytes that are not a frame,
 * reserved bits, and blocks over the limit; `UNSUPPORTED` for a dictionary or a window over 128 MiB
 */
export async function* zstdFrames(
  bytes: AsyncIterable<Uint8Array>,
  what: string,
): AsyncGenerator<ZstdFrame, void, undefined> {
  const reader = new ByteReader(bytes);
  try {
    for (let first = true; ; first = false) {
      const magic = await readMagic(reader, what, first);
      if (magic === undefined) return;
      if (magic === 'frame') yield* readFrame(reader, what);
      else await skipFrame(reader, what);
    }
  } finally {
    await reader.release();
  }
}

async function* readFrame(reader: ByteReader, what: string): AsyncGenerator<ZstdFrame, void, undefined> {
  const descriptor = await readWhole(reader, 1, what);
  const rest = await readWhole(reader, headerSize(descriptor[0] ?? 0) - 5, what);
  const bytes = Buffer.concat([uint32(FRAME_MAGIC), descriptor, rest]);
  const header = parseHeader(bytes, what);
  const pieces = readPieces(reader, header, bytes, what);
  yield { header, pieces };
  let next = await pieces.next();
  while (next.done !== true) next = await pieces.next();
}

async function* readPieces(
  reader: ByteReader,
  header: ZstdHeader,
  bytes: Uint8Array,
  what: string,
): AsyncGenerator<ZstdPiece, void, undefined> {
  yield { bytes, maxOutput: 0, last: false };
  const limit = Math.min(header.windowSize, MAX_BLOCK_SIZE);
  for (let last = false; !last;) {
    const start = await readWhole(reader, 3, what);
    const block = parseBlock(Buffer.from(start).readUIntLE(0, 3), limit, what);
    const rest = await readWhole(reader, block.size + (block.last && header.hasChecksum ? 4 : 0), what);
    last = block.last;
    yield { bytes: Buffer.concat([start, rest]), maxOutput: block.maxOutput, last };
  }
}

/** Parses the header of a block (RFC 8878, section 3.1.1.2). */
function parseBlock(
  word: number,
  limit: number,
  what: string,
): { last: boolean; size: number; maxOutput: number } {
  const last = (word & 1) === 1;
  const type = (word >> 1) & 3;
  const size = word >> 3;
  if (type === 3) throw new DrayageError('MALFORMED', `${what} is not valid zstd: reserved block type`);
  if (size > limit) {
    throw new DrayageError('MALFORMED', `${what} is not valid zstd: a block is over its limit`, {
      expected: limit,
      actual: size,
    });
  }
  // A raw block has the stated size; an RLE block is one byte, to be repeated that often.
  if (type === 0) return { last, size, maxOutput: size };
  return type === 1 ? { last, size: 1, maxOutput: size } : { last, size, maxOutput: limit };
}

async function skipFrame(reader: ByteReader, what: string): Promise<void> {
  const size = Buffer.from(await readWhole(reader, 4, what)).readUInt32LE();
  if ((await reader.skip(size)) < size) throw truncated(what);
}

/** The next magic; undefined at the end of input. */
async function readMagic(
  reader: ByteReader,
  what: string,
  first: boolean,
): Promise<'frame' | 'skip' | undefined> {
  const bytes = Buffer.from(await reader.read(4));
  if (bytes.length === 0) return undefined;
  if (bytes.equals(uint32(FRAME_MAGIC).subarray(0, bytes.length))) {
    if (bytes.length < 4) throw truncated(what);
    return 'frame';
  }
  const family = Buffer.from(bytes);
  family[0] = (family[0] ?? 0) & 0xf0;
  if (family.equals(uint32(SKIPPABLE_MAGIC).subarray(0, bytes.length))) {
    if (bytes.length < 4) throw truncated(what);
    return 'skip';
  }
  throw new DrayageError(
    'MALFORMED',
    first ? `${what} is not zstd` : `${what} has bytes after its zstd data`,
  );
}

async function readWhole(reader: ByteReader, count: number, what: string): Promise<Uint8Array> {
  const bytes = await reader.read(count);
  if (bytes.length < count) throw truncated(what);
  return bytes;
}

function truncated(what: string): DrayageError {
  return new DrayageError('TRUNCATED', `${what} ends within its zstd data`);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
