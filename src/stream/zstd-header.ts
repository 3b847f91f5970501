import { DrayageError } from '../errors.ts';

/** The first four bytes of a frame, little-endian. */
export const FRAME_MAGIC: number = 0xfd2fb528;
/** The magic of skippable frames; its last hex digit is arbitrary. */
export const SKIPPABLE_MAGIC: number = 0x184d2a50;
/** The maximum content of a block, in bytes, for any window. */
export const MAX_BLOCK_SIZE: number = 128 * 1024;
/** The base-2 logarithm of the largest window that is read: that of `zstd --long`, 128 MiB. */
export const MAX_WINDOW_LOG: number = 27;

/** The content of a frame's header (RFC 8878, section 3.1.1.1). */
export interface ZstdHeader {
  /** Decompressed bytes of the frame; undefined if the header does not say. Do not trust it. */
  contentSize: number | undefined;
  /** Bytes that a decoder has to remember. */
  windowSize: number;
  /** Whether four bytes of checksum follow the last block. */
  hasChecksum: boolean;
}

/** The length of a header, including its magic, by its descriptor: the byte after the magic. */
export function headerSize(descriptor: number): number {
  const { windowBytes, dictionaryBytes, sizeBytes } = headerFields(descriptor);
  return 5 + windowBytes + dictionaryBytes + sizeBytes;
}

/**
 * Parses the header of a frame.
 * @param bytes the header, {@link headerSize} bytes
 * @param what names the content in errors
 * @throws {@link DrayageError} `MALFORMED` for a reserved bit; `UNSUPPORTED` for a dictionary or a window over 128 MiB
 */
export function parseHeader(bytes: Uint8Array, what: string): ZstdHeader {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const descriptor = view.readUInt8(4);
  const { windowBytes, dictionaryBytes, sizeBytes } = headerFields(descriptor);
  if ((descriptor & 0x08) !== 0)
    throw new DrayageError('MALFORMED', `${what} is not valid zstd: reserved bit set`);
  if (dictionaryBytes > 0 && view.readUIntLE(5 + windowBytes, dictionaryBytes) !== 0) {
    throw new DrayageError('UNSUPPORTED', `${what} needs a zstd dictionary, which is not supported`);
  }
  const contentSize = readContentSize(view, 5 + windowBytes + dictionaryBytes, sizeBytes);
  // A single segment has no window of its own: a decoder has to remember the whole content.
  const windowSize = windowBytes === 0 ? (contentSize ?? 0) : readWindowSize(view.readUInt8(5));
  if (windowSize > 2 ** MAX_WINDOW_LOG) {
    throw new DrayageError(
      'UNSUPPORTED',
      `${what} needs a zstd window of ${windowSize} bytes, which is over the limit`,
      {
        expected: 2 ** MAX_WINDOW_LOG,
        actual: windowSize,
        hint: `compress it with a window of 128 MiB or less (zstd --long=${MAX_WINDOW_LOG})`,
      },
    );
  }
  return { contentSize, windowSize, hasChecksum: (descriptor & 0x04) !== 0 };
}

/** The sizes of the optional fields, in bytes. */
function headerFields(descriptor: number): {
  windowBytes: number;
  dictionaryBytes: number;
  sizeBytes: number;
} {
  const singleSegment = (descriptor & 0x20) !== 0;
  const dictionaryFlag = descriptor & 0x03;
  const sizeFlag = descriptor >> 6;
  return {
    windowBytes: singleSegment ? 0 : 1,
    dictionaryBytes: dictionaryFlag === 3 ? 4 : dictionaryFlag,
    sizeBytes: sizeFlag === 0 ? Number(singleSegment) : 2 ** sizeFlag,
  };
}

/** Values over 2^53 lose digits here: content of that size does not exist, so such a header is wrong anyway. */
function readContentSize(view: Buffer, offset: number, sizeBytes: number): number | undefined {
  if (sizeBytes === 0) return undefined;
  if (sizeBytes === 8) return Number(view.readBigUInt64LE(offset));
  // Two bytes count from 256, because one byte covers the values below.
  return view.readUIntLE(offset, sizeBytes) + (sizeBytes === 2 ? 256 : 0);
}

function readWindowSize(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 0x07);
}
