import { DrayageError } from '../../errors.ts';
import { decodeText } from './header.ts';
import type { Sparse } from './sparse.ts';
import { SparseRecords } from './sparse.ts';

/** What headers that extend others may override. */
export interface Extension {
  name?: string;
  target?: string;
  size?: number;
  /** That the file is stored without its zeros. */
  sparse?: Sparse;
}

/** How long a header that extends another may be, in bytes. */
export const MAX_EXTENSION_SIZE: number = 1024 * 1024;
const MAX_RECORDS = 1000;
const DECIMAL = /^(?:0|[1-9]\d{0,15})$/;
const SPACE = 0x20;
const NEWLINE = 0x0a;
const EQUALS = 0x3d;

/**
 * Reads the records of a pax header (POSIX pax, "pax Extended Header"): `<length> <key>=<value>\n`, again and again.
 * @throws {@link DrayageError} `MALFORMED`, `LIMIT`, `UNSUPPORTED` for sparse files of other versions than 0.0, 0.1 and 1.0
 */
export function parsePax(content: Uint8Array): Extension {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.length);
  const extension: Extension = {};
  const sparse = new SparseRecords();
  let count = 0;
  for (let offset = 0; offset < bytes.length;) {
    const end = recordEnd(bytes, offset);
    const { key, value } = keyAndValue(bytes.subarray(bytes.indexOf(SPACE, offset) + 1, end - 1));
    // A sparse file has a record for each of its parts; the header's size bounds them.
    if (SparseRecords.describes(key)) sparse.add(key, value);
    else if (count++ < MAX_RECORDS) applyRecord(extension, key, value);
    else throw new DrayageError('LIMIT', `a pax header has over ${MAX_RECORDS} records`);
    offset = end;
  }
  const found = sparse.read();
  if (found.name !== undefined) checkName(found.name, 'a pax GNU.sparse.name');
  return { ...extension, ...found };
}

/**
 * Reads the content of a GNU long name or long link entry: text that ends in NUL.
 * @throws {@link DrayageError} `MALFORMED`
 */
export function parseLongName(bytes: Uint8Array): string {
  const nul = bytes.indexOf(0);
  const text = decodeText(nul < 0 ? bytes : bytes.subarray(0, nul), 'a long name in a tar archive');
  if (text === '' || (nul >= 0 && bytes.subarray(nul).some((byte) => byte !== 0)))
    throw badName('a long name');
  return text;
}

function recordEnd(bytes: Buffer, offset: number): number {
  const space = bytes.indexOf(SPACE, offset);
  const digits = space < 0 ? '' : bytes.toString('latin1', offset, Math.min(space, offset + 10));
  const end = offset + (DECIMAL.test(digits) ? Number(digits) : 0);
  if (end <= space + 2 || end > bytes.length || bytes[end - 1] !== NEWLINE) {
    throw new DrayageError('MALFORMED', 'a pax header has a record of a wrong length');
  }
  return end;
}

function keyAndValue(record: Buffer): { key: string; value: Buffer } {
  const equals = record.indexOf(EQUALS);
  const key = record.toString('latin1', 0, Math.max(equals, 0));
  if (key === '') throw new DrayageError('MALFORMED', 'a pax header has a record without a key');
  return { key, value: record.subarray(equals + 1) };
}

function applyRecord(extension: Extension, key: string, value: Buffer): void {
  if (key === 'path') set(extension, 'name', paxName(value, key));
  else if (key === 'linkpath') set(extension, 'target', paxName(value, key));
  else if (key === 'size') set(extension, 'size', paxSize(value));
}

function set<K extends keyof Extension>(extension: Extension, key: K, value: Extension[K]): void {
  if (extension[key] !== undefined)
    throw new DrayageError('MALFORMED', `a pax header states the ${key} twice`);
  extension[key] = value;
}

function paxName(value: Buffer, key: string): string {
  const text = decodeText(value, `a pax ${key}`);
  checkName(text, `a pax ${key}`);
  return text;
}

function checkName(text: string, what: string): void {
  if (text === '' || text.includes('\0') || text.includes('\n')) throw badName(what);
}

function paxSize(value: Buffer): number {
  const text = value.toString('latin1');
  if (DECIMAL.test(text) && Number.isSafeInteger(Number(text))) return Number(text);
  throw new DrayageError('MALFORMED', 'a pax header has a size that is not a number');
}

function badName(what: string): DrayageError {
  return new DrayageError(
    'MALFORMED',
    `${what} in a tar archive is empty, or has a NUL or a line break in it`,
  );
}
