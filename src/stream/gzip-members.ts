import { currentBudget } from '../budget.ts';
import { DrayageError } from '../errors.ts';
import { ByteReader } from './byte-reader.ts';
import type { CompressedPart, DecompressOptions, TakePart } from './codec.ts';
import { boundedOutput, MAX_PART } from './codec.ts';
import { countBytes } from './drain.ts';
import { gunzip } from './gunzip.ts';

/** The header of `node:zlib`'s gzip (RFC 1952, section 2.3): no flags, no fields. */
const PLAIN_HEADER = 10;
/** The same header with an extra field of one subfield, as {@link statingSize} writes it. */
const STATING_HEADER = PLAIN_HEADER + 10;
/** The checksum and the uncompressed size, which end a member. */
const TRAILER = 8;
/** The longest member that is offered as a part, in bytes: content that does not shrink fits, too. */
const MAX_MEMBER = 2 * MAX_PART;
const NOTHING: Uint8Array = new Uint8Array(0);
/** FLG.FEXTRA. */
const EXTRA = 4;
/** The length of the extra field, the name of its subfield, and the subfield's length. */
const FIELD = Buffer.from([8, 0, 0x44, 0x79, 4, 0]);

/**
 * Makes a gzip member state its length, in an extra field that decoders ignore (RFC 1952, section 2.3.1.1). With it,
 * {@link gunzippedSize} finds the member's end and the uncompressed size there without decompressing.
 * @param member a whole member as `node:zlib` makes them; one with fields in its header stays as it is
 * @returns the member in chunks: what follows the header is not copied
 */
export function statingSize(member: Uint8Array): Uint8Array[] {
  if (member[3] !== 0) return [member];
  const rest = member.subarray(PLAIN_HEADER);
  const header = Buffer.allocUnsafe(STATING_HEADER);
  header.set(member.subarray(0, PLAIN_HEADER));
  header[3] = EXTRA;
  FIELD.copy(header, PLAIN_HEADER);
  header.writeUInt32LE(header.length + rest.length, PLAIN_HEADER + FIELD.length);
  return [header, rest];
}

/**
 * As {@link gunzip}, but offers the first members to `takePart` ({@link DecompressOptions}): those that state their length.
 * Only the members after them are decompressed here.
 */
export async function* gunzipParts(
  bytes: AsyncIterable<Uint8Array>,
  what: string,
  { takePart, ...options }: DecompressOptions & { takePart: TakePart },
): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = new ByteReader(bytes);
  let unread = NOTHING;
  try {
    for (let first = true; ; first = false) {
      const header = await reader.peek(STATING_HEADER);
      if (header.length === 0 && !first) return;
      const length = statedSize(header);
      if (length === undefined || length < STATING_HEADER + TRAILER || length > MAX_MEMBER) break;
      unread = await reader.read(length);
      const part = partOf(unread);
      if (unread.length < length || part.size > MAX_PART || !(await takePart(part))) break;
      currentBudget()?.spendExpansion(length, part.size);
      unread = NOTHING;
    }
    yield* gunzip(startingWith(unread, reader), what, options);
  } finally {
    await reader.release();
  }
}

async function* startingWith(
  head: Uint8Array,
  rest: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (head.length > 0) yield head;
  yield* rest;
}

function partOf(member: Uint8Array): CompressedPart {
  const size = Buffer.from(member.buffer, member.byteOffset, member.length).readUInt32LE(member.length - 4);
  return { call: { name: 'gunzipSync', options: boundedOutput(size) }, chunks: [member], size };
}

/**
 * Reads gzip to its end and returns the decompressed size. Believes members that state their length; from the first one
 * that does not, everything is decompressed.
 * @param what names the content in errors
 * @throws {@link DrayageError} as {@link gunzip}
 */
export async function gunzippedSize(bytes: AsyncIterable<Uint8Array>, what: string): Promise<number> {
  const reader = new ByteReader(bytes);
  try {
    for (let size = 0, first = true; ; first = false) {
      const header = await reader.peek(STATING_HEADER);
      if (header.length === 0 && !first) return size;
      const stated = statedSize(header);
      if (stated === undefined) return size + (await countBytes(gunzip(reader, what)));
      size += await readTrailer(reader, stated, what);
    }
  } finally {
    await reader.release();
  }
}

/** The length of a whole member; undefined if it does not state it. */
function statedSize(bytes: Uint8Array): number | undefined {
  const header = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const states =
    header.length === STATING_HEADER &&
    header.readUIntBE(0, 4) === 0x1f8b0800 + EXTRA &&
    header.subarray(PLAIN_HEADER, PLAIN_HEADER + FIELD.length).equals(FIELD);
  return states ? header.readUInt32LE(PLAIN_HEADER + FIELD.length) : undefined;
}

/** Skips a member and reads the uncompressed size at its end. */
async function readTrailer(reader: ByteReader, stated: number, what: string): Promise<number> {
  if (stated < STATING_HEADER + 4) {
    throw new DrayageError('MALFORMED', `${what} is not valid gzip: a member states a size of ${stated}`);
  }
  await reader.skip(stated - 4);
  const trailer = Buffer.from(await reader.read(4));
  if (trailer.length < 4) throw new DrayageError('TRUNCATED', `${what} ends within its gzip data`);
  return trailer.readUInt32LE();
}
