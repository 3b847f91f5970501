import { crc32, deflateRawSync } from 'node:zlib';

/** A file in a zip, and how the zip lies about it. */
export interface ZipFileOptions {
  path: string;
  bytes: Uint8Array;
  method?: 'stored' | 'deflated';
  /** Sizes and checksum come after the bytes, as the runner writes them. Default true. */
  dataDescriptor?: boolean;
  /** Sizes and offset are in an extra field of 64-bit numbers. */
  zip64?: boolean;
  /** The Unix mode. Default a regular file. */
  mode?: number;
  /** What the local header says instead. */
  local?: { name?: string; method?: number; signature?: number };
  /** What the directory says instead. */
  directory?: {
    size?: number;
    compressedSize?: number;
    crc32?: number;
    start?: number;
    method?: number;
    flags?: number;
  };
  /** Bytes of an extra field before the file's bytes. */
  extra?: number;
}

/** Makes a zip, with the 64-bit form of the end record where that is asked for. */
export function zip(files: readonly ZipFileOptions[], { zip64 = false }: { zip64?: boolean } = {}): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const file of files) {
    const local = localPart(file);
    directory.push(directoryPart(file, offset));
    parts.push(local);
    offset += local.length;
  }
  const list = Buffer.concat(directory);
  return Buffer.concat([
    ...parts,
    list,
    ...(zip64 ? [end64(files.length, list.length, offset)] : []),
    end(files.length, list.length, offset, zip64),
  ]);
}

function packed({ bytes, method = 'deflated' }: ZipFileOptions): Buffer {
  return method === 'stored' ? Buffer.from(bytes) : deflateRawSync(bytes);
}

function localPart(file: ZipFileOptions): Buffer {
  const { bytes, path, dataDescriptor = true, local = {}, method = 'deflated', extra = 0 } = file;
  const data = packed(file);
  const name = Buffer.from(local.name ?? path);
  const header = Buffer.alloc(30);
  header.writeUInt32LE(local.signature ?? 0x04034b50, 0);
  header.writeUInt16LE(20, 4);
  header.writeUInt16LE(dataDescriptor ? 8 : 0, 6);
  header.writeUInt16LE(local.method ?? (method === 'stored' ? 0 : 8), 8);
  if (!dataDescriptor) {
    header.writeUInt32LE(crc32(bytes), 14);
    header.writeUInt32LE(data.length, 18);
    header.writeUInt32LE(bytes.length, 22);
  }
  header.writeUInt16LE(name.length, 26);
  header.writeUInt16LE(extra, 28);
  const descriptor = Buffer.alloc(16);
  descriptor.writeUInt32LE(0x08074b50, 0);
  descriptor.writeUInt32LE(crc32(bytes), 4);
  descriptor.writeUInt32LE(data.length, 8);
  descriptor.writeUInt32LE(bytes.length, 12);
  return Buffer.concat([header, name, Buffer.alloc(extra), data, ...(dataDescriptor ? [descriptor] : [])]);
}

function directoryPart(file: ZipFileOptions, offset: number): Buffer {
  const { bytes, path, dataDescriptor = true, method = 'deflated', mode = 0o100644, zip64 = false } = file;
  const said = {
    size: bytes.length,
    compressedSize: packed(file).length,
    crc32: crc32(bytes),
    start: offset,
    method: method === 'stored' ? 0 : 8,
    flags: dataDescriptor ? 8 : 0,
    ...file.directory,
  };
  const name = Buffer.from(path);
  const extra = Buffer.alloc(zip64 ? 28 : 0);
  if (zip64) {
    extra.writeUInt16LE(1, 0);
    extra.writeUInt16LE(24, 2);
    extra.writeBigUInt64LE(BigInt(said.size), 4);
    extra.writeBigUInt64LE(BigInt(said.compressedSize), 12);
    extra.writeBigUInt64LE(BigInt(said.start), 20);
  }
  const header = Buffer.alloc(46);
  header.writeUInt32LE(0x02014b50, 0);
  header.writeUInt16LE((3 << 8) | 20, 4);
  header.writeUInt16LE(20, 6);
  header.writeUInt16LE(said.flags, 8);
  header.writeUInt16LE(said.method, 10);
  header.writeUInt32LE(said.crc32, 16);
  header.writeUInt32LE(zip64 ? 0xffffffff : said.compressedSize, 20);
  header.writeUInt32LE(zip64 ? 0xffffffff : said.size, 24);
  header.writeUInt16LE(name.length, 28);
  header.writeUInt16LE(extra.length, 30);
  header.writeUInt32LE((mode * 0x10000) >>> 0, 38);
  header.writeUInt32LE(zip64 ? 0xffffffff : said.start, 42);
  return Buffer.concat([header, name, extra]);
}

function end(count: number, size: number, offset: number, zip64: boolean): Buffer {
  const record = Buffer.alloc(22);
  record.writeUInt32LE(0x06054b50, 0);
  record.writeUInt16LE(zip64 ? 0xffff : count, 8);
  record.writeUInt16LE(zip64 ? 0xffff : count, 10);
  record.writeUInt32LE(zip64 ? 0xffffffff : size, 12);
  record.writeUInt32LE(zip64 ? 0xffffffff : offset, 16);
  return record;
}

function end64(count: number, size: number, offset: number): Buffer {
  const record = Buffer.alloc(56 + 20);
  record.writeUInt32LE(0x06064b50, 0);
  record.writeBigUInt64LE(44n, 4);
  record.writeUInt16LE(45, 12);
  record.writeUInt16LE(45, 14);
  record.writeBigUInt64LE(BigInt(count), 24);
  record.writeBigUInt64LE(BigInt(count), 32);
  record.writeBigUInt64LE(BigInt(size), 40);
  record.writeBigUInt64LE(BigInt(offset), 48);
  record.writeUInt32LE(0x07064b50, 56);
  record.writeBigUInt64LE(BigInt(offset + size), 64);
  record.writeUInt32LE(1, 72);
  return record;
}
