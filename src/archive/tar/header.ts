import { DrayageError } from '../../errors.ts';

/** Tar works in blocks of this many bytes. */
export const BLOCK: number = 512;

/** What a header announces: an entry, or something that extends the header after it. */
type HeaderType = EntryType | 'pax' | 'global-pax' | 'long-name' | 'long-link';
/** What kinds of entries an image archive may hold. */
export type EntryType = 'file' | 'directory' | 'symlink' | 'hardlink';

/** The fields of a header block that are used here. */
export interface TarHeader {
  type: HeaderType;
  name: string;
  size: number;
  /** Where a link points to; else empty. */
  target: string;
}

const TYPES: Record<string, HeaderType> = {
  '\0': 'file',
  '0': 'file',
  '7': 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '5': 'directory',
  x: 'pax',
  g: 'global-pax',
  L: 'long-name',
  K: 'long-link',
};

const USTAR = 'ustar\x0000';
const GNU = 'ustar  \0';
/** Where the magic is; a header older than ustar has nothing from here on. */
const MAGIC_AT = 257;
const OCTAL = /^ *([0-7]+)[ \0]*$/;

/** Whether a block holds nothing but zeros. */
export function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

/** Whether a block's checksum is that of its bytes: what tells a tar header, of whatever kind, from other data. */
export function hasChecksum(block: Uint8Array): boolean {
  if (block.length < BLOCK) return false;
  const stated = OCTAL.exec(latin1(block, 148, 156));
  let sum = 8 * 0x20;
  for (let i = 0; i < BLOCK; i++) sum += i >= 148 && i < 156 ? 0 : (block[i] ?? 0);
  return stated !== null && Number.parseInt(stated[1] ?? '', 8) === sum;
}

/**
 * Reads a header block whose checksum holds: ustar (POSIX), GNU, or the older v7.
 * @throws {@link DrayageError} `MALFORMED`, `UNSUPPORTED`
 */
export function parseHeader(block: Uint8Array): TarHeader {
  const magic = latin1(block, MAGIC_AT, MAGIC_AT + 8);
  const short = decodeText(upToNul(block, 0, 100), 'a name in a tar header');
  if (magic !== USTAR && magic !== GNU && !isZero(block.subarray(MAGIC_AT))) {
    throw new DrayageError('UNSUPPORTED', `tar entry ${quote(short)} has a header of an unknown format`, {
      entry: short,
    });
  }
  const prefix = magic === USTAR ? decodeText(upToNul(block, 345, 500), 'a name in a tar header') : '';
  const name = prefix === '' ? short : `${prefix}/${short}`;
  return {
    type: parseType(String.fromCharCode(block[156] ?? 0), name),
    name,
    size: parseSize(block.subarray(124, 136), name),
    target: decodeText(upToNul(block, 157, 257), `the link target of ${quote(name)}`),
  };
}

/**
 * Reads strict UTF-8.
 * @throws {@link DrayageError} `MALFORMED`
 */
export function decodeText(bytes: Uint8Array, what: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new DrayageError('MALFORMED', `${what} is not UTF-8`, { cause });
  }
}

/** A name in an error message: shortened, and with nothing in it that a terminal would act on. */
export function quote(name: string): string {
  return JSON.stringify(name.length > 200 ? `${name.slice(0, 200)}…` : name);
}

function parseType(flag: string, name: string): HeaderType {
  const type = TYPES[flag];
  if (type === undefined) {
    if (flag === 'S') throw oldSparse(name);
    const message = `tar entry ${quote(name)} is of type ${quote(flag)}, which no image archive holds`;
    throw new DrayageError('UNSUPPORTED', message, { entry: name });
  }
  // Before there was a type for directories, they were files whose names end so.
  return type === 'file' && name.endsWith('/') ? 'directory' : type;
}

function oldSparse(name: string): DrayageError {
  return new DrayageError('UNSUPPORTED', `tar entry ${quote(name)} is a sparse file in the old GNU format`, {
    entry: name,
    hint: 'make the archive with tar without -S, or in its format posix',
  });
}

function parseSize(field: Uint8Array, name: string): number {
  const size = ((field[0] ?? 0) & 0x80) === 0 ? octalSize(field) : binarySize(field);
  if (size !== undefined && Number.isSafeInteger(size)) return size;
  throw new DrayageError('MALFORMED', `tar entry ${quote(name)} has a size that is not a number`, {
    entry: name,
  });
}

function octalSize(field: Uint8Array): number | undefined {
  const digits = OCTAL.exec(latin1(field, 0, field.length))?.[1];
  return digits === undefined ? undefined : Number.parseInt(digits, 8);
}

/** GNU's form for large sizes: a big-endian number, its first bit set as a mark, its second for the sign. */
function binarySize(field: Uint8Array): number | undefined {
  if (((field[0] ?? 0) & 0x40) !== 0) return undefined;
  return field.reduce((sum, byte, i) => sum * 256 + (i === 0 ? byte & 0x3f : byte), 0);
}

function upToNul(block: Uint8Array, start: number, end: number): Uint8Array {
  const nul = block.subarray(start, end).indexOf(0);
  return block.subarray(start, nul < 0 ? end : start + nul);
}

function latin1(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1', start, end);
}
