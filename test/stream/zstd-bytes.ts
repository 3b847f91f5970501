/** A block by hand: raw bytes, or one byte to be repeated. */
export type Block = Uint8Array | { byte: number; times: number };

/** The largest content of a block. */
export const BLOCK: number = 128 * 1024;

/** The header of a block. */
export function blockHeader(last: boolean, type: number, size: number): Buffer {
  const header = Buffer.alloc(3);
  header.writeUIntLE((size << 3) | (type << 1) | Number(last), 0, 3);
  return header;
}

/** The blocks of a frame. */
export function blocks(...content: Block[]): Buffer {
  const parts = content.map((block, index) => {
    const last = index === content.length - 1;
    if (block instanceof Uint8Array) return Buffer.concat([blockHeader(last, 0, block.length), block]);
    return Buffer.concat([blockHeader(last, 1, block.times), Buffer.from([block.byte])]);
  });
  return Buffer.concat(parts);
}

/** The header of a frame with a window, and with a content size of eight bytes where it is given. */
export function frameHeader(options: { windowLog?: number; contentSize?: bigint } = {}): Buffer {
  const { windowLog = 17, contentSize } = options;
  const start = [0x28, 0xb5, 0x2f, 0xfd, contentSize === undefined ? 0 : 0xc0, (windowLog - 10) << 3];
  const size = Buffer.alloc(contentSize === undefined ? 0 : 8);
  if (contentSize !== undefined) size.writeBigUInt64LE(contentSize);
  return Buffer.concat([Buffer.from(start), size]);
}

/** A frame of raw and RLE blocks without checksum or content size. */
export function frame(...content: Block[]): Buffer {
  return Buffer.concat([frameHeader(), blocks(...content)]);
}

/** A frame that says its content size, be it true or not. */
export function sizedFrame(contentSize: number | bigint, ...content: Block[]): Buffer {
  return Buffer.concat([frameHeader({ contentSize: BigInt(contentSize) }), blocks(...content)]);
}

/** A skippable frame. */
export function skippable(content: Uint8Array, nibble: number = 0): Buffer {
  const start = Buffer.from([0x50 + nibble, 0x2a, 0x4d, 0x18, 0, 0, 0, 0]);
  start.writeUInt32LE(content.length, 4);
  return Buffer.concat([start, content]);
}

/** Zeros as RLE blocks: a few bytes a block. */
export function zeros(length: number): Block[] {
  const count = Math.max(1, Math.ceil(length / BLOCK));
  return Array.from({ length: count }, (_, i) => ({ byte: 0, times: Math.min(BLOCK, length - i * BLOCK) }));
}

/** One frame of raw blocks with a window of this size. */
export function framed(bytes: Buffer, windowLog: number): Buffer {
  const count = Math.ceil(bytes.length / BLOCK);
  const raw = Array.from({ length: count }, (_, i) => bytes.subarray(i * BLOCK, (i + 1) * BLOCK));
  return Buffer.concat([frameHeader({ windowLog }), blocks(...raw)]);
}
