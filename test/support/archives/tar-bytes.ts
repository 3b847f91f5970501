/** Tar archives byte by byte: what a tar library would not let one write. */

/** A header's fields, as they are to stand there. */
export interface HeaderFields {
  name?: string | Buffer;
  mode?: string;
  size?: number | Buffer | string;
  type?: string;
  target?: string | Buffer;
  /** `ustar\0` + `00`, or GNU's `ustar  \0`, or anything else. */
  magic?: string;
  prefix?: string;
  /** Default: the right one. */
  checksum?: number;
}

/** POSIX. */
const USTAR = 'ustar\x0000';
/** GNU tar. */
export const GNU = 'ustar  \0';

/** A header block. */
export function header(fields: HeaderFields): Buffer {
  const block = Buffer.alloc(512);
  const {
    name = 'x',
    mode = '0000644\0',
    size = 0,
    type = '0',
    target = '',
    magic = USTAR,
    prefix = '',
  } = fields;
  Buffer.from(name).copy(block, 0, 0, 100);
  block.write(`${mode}0000000\x000000000\0`, 100, 'latin1');
  Buffer.from(typeof size === 'number' ? `${size.toString(8).padStart(11, '0')}\0` : size).copy(
    block,
    124,
    0,
    12,
  );
  block.write('00000000000\0', 136, 'latin1');
  block.write(type, 156, 'latin1');
  Buffer.from(target).copy(block, 157, 0, 100);
  block.write(magic, 257, 'latin1');
  block.write(prefix, 345);
  block.fill(' ', 148, 156);
  const sum = fields.checksum ?? block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

function toBytes(content: Buffer | string): Buffer {
  return typeof content === 'string' ? Buffer.from(content) : content;
}

/** Content filled up to whole blocks. */
export function padded(content: Buffer | string): Buffer {
  const bytes = toBytes(content);
  return Buffer.concat([bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]);
}

/** An entry: a file, where nothing else is said. */
export function entry(name: string, content: Buffer | string = '', fields: HeaderFields = {}): Buffer {
  const bytes = toBytes(content);
  return Buffer.concat([header({ name, size: bytes.length, ...fields }), padded(bytes)]);
}

/** A symlink. */
export function symlink(name: string, target: string): Buffer {
  return header({ name, type: '2', target });
}

/** A hard link. */
export function hardlink(name: string, target: string): Buffer {
  return header({ name, type: '1', target });
}

/** A pax header with these records. */
export function pax(records: Record<string, string | Buffer>, type = 'x'): Buffer {
  return paxRaw(Buffer.concat(Object.entries(records).map(([key, value]) => paxRecord(key, value))), type);
}

/** A pax header with this content, right or wrong. */
export function paxRaw(content: Buffer | string, type = 'x'): Buffer {
  return entry('PaxHeader', content, { type });
}

/** A pax record with its length. */
function paxRecord(key: string, value: string | Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), toBytes(value), Buffer.from('\n')]);
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

/** GNU's entry for a name (`L`) or a link target (`K`) over 100 bytes. */
export function gnuLong(text: string, type: 'L' | 'K' = 'L'): Buffer {
  return entry('././@LongLink', `${text}\0`, { type, magic: GNU });
}

/** GNU's form of a size: binary, with a mark in the first byte. */
export function base256(size: number, first = 0x80): Buffer {
  const field = Buffer.alloc(12);
  field.writeBigInt64BE(BigInt(size), 4);
  field[0] = first;
  return field;
}

/** The two blocks that end an archive. */
export const END: Buffer = Buffer.alloc(1024);

/** A whole archive. */
export function tar(...parts: Buffer[]): Buffer {
  return Buffer.concat([...parts, END]);
}
