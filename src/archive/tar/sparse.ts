import { currentBudget } from '../../budget.ts';
import { DrayageError } from '../../errors.ts';
import { ByteReader } from '../../stream/byte-reader.ts';
import { BLOCK, decodeText, isZero } from './header.ts';

/** A part of a sparse file that is stored; what lies between two of them is zeros. */
interface Region {
  offset: number;
  size: number;
}

/** What pax records state about a sparse file (GNU tar, "Sparse Formats"): version 0.0, 0.1 or 1.0. */
export interface Sparse {
  /** The size of the file with its zeros. */
  size: number;
  /** Undefined where the map stands before the content (version 1.0). */
  regions: readonly Region[] | undefined;
}

/** How many parts a sparse file may have. */
const MAX_REGIONS = 100_000;
const KEY = 'GNU.sparse.';
const NUMBER = /^(?:0|[1-9]\d{0,15})$/;
const NEWLINE = 0x0a;
const ZEROS = Buffer.alloc(64 * 1024);

/** Collects the records of one pax header that describe a sparse file. */
export class SparseRecords {
  readonly #single = new Map<string, string>();
  /** Of version 0.0: offset and size in turns. */
  readonly #numbers: number[] = [];

  /** Whether a record of this key belongs here. */
  static describes(key: string): boolean {
    return key.startsWith(KEY);
  }

  /** @throws {@link DrayageError} `MALFORMED` */
  add(key: string, bytes: Buffer): void {
    const name = key.slice(KEY.length);
    const value = decodeText(bytes, `a pax ${key}`);
    if (name === 'offset' || name === 'numbytes') {
      if ((this.#numbers.length % 2 === 0) !== (name === 'offset')) throw malformed('its map is incomplete');
      this.#numbers.push(numberOf(value));
      return;
    }
    if (this.#single.has(name)) throw malformed(`it has ${key} twice`);
    this.#single.set(name, value);
  }

  /**
   * The file, and its name, unchecked, if the header has another one; empty if there were no records.
   * @throws {@link DrayageError} `MALFORMED`, `UNSUPPORTED` for other versions
   */
  read(): { sparse?: Sparse; name?: string } {
    if (this.#single.size === 0 && this.#numbers.length === 0) return {};
    const [major, minor] = [this.#single.get('major') ?? '0', this.#single.get('minor') ?? '0'];
    const version = `${major}.${minor}`;
    if (!['0.0', '0.1', '1.0'].includes(version))
      throw new DrayageError(
        'UNSUPPORTED',
        `sparse files of version ${JSON.stringify(version)} are not read`,
      );
    const [real, plain] = [this.#single.get('realsize'), this.#single.get('size')];
    if (real !== undefined && plain !== undefined) throw malformed('it has two sizes');
    const size = numberOf(real ?? plain ?? '');
    const regions = version === '1.0' ? undefined : toRegions(this.#mapped(), size);
    const name = this.#single.get('name');
    return { sparse: { size, regions }, ...(name !== undefined && { name }) };
  }

  #mapped(): readonly number[] {
    const map = this.#single.get('map');
    if (map !== undefined && this.#numbers.length > 0) throw malformed('it has two maps');
    const numbers = map === undefined || map === '' ? this.#numbers : map.split(',').map(numberOf);
    const count = this.#single.get('numblocks');
    if (count !== undefined && numberOf(count) * 2 !== numbers.length)
      throw malformed('its map is incomplete');
    return numbers;
  }
}

/**
 * The content of a sparse file, with its zeros. They count as decompressed bytes of the run's budget.
 * @throws {@link DrayageError} `MALFORMED`, `LIMIT`; errors of `stored`
 */
export async function* expandSparse(
  stored: AsyncIterable<Uint8Array>,
  { size, regions }: Sparse,
): AsyncGenerator<Uint8Array, void, undefined> {
  const budget = currentBudget();
  const source = new ByteReader(stored);
  let at = 0;
  for (const region of [...(regions ?? toRegions(await readMap(source), size)), { offset: size, size: 0 }]) {
    for (; at < region.offset;) {
      const zeros = ZEROS.subarray(0, region.offset - at);
      budget?.spendExpansion(0, zeros.length);
      yield zeros;
      at += zeros.length;
    }
    for (const end = at + region.size; at < end;) {
      const chunk = await source.some(end - at);
      if (chunk.length === 0) throw malformed('it has less content than its map states');
      budget?.spendExpansion(chunk.length, chunk.length);
      yield chunk;
      at += chunk.length;
    }
  }
  if ((await source.some(1)).length > 0) throw malformed('it has more content than its map states');
}

/** The map of version 1.0: decimal numbers in lines, the number of regions first, filled up to a whole block. */
async function readMap(source: ByteReader): Promise<number[]> {
  const numbers: number[] = [];
  let line = '';
  for (let at = 0; ; at++) {
    const [byte] = await source.some(1);
    if (byte === undefined || line.length > 16) throw malformed('its map is incomplete');
    if (byte !== NEWLINE) {
      line += String.fromCharCode(byte);
      continue;
    }
    numbers.push(numberOf(line));
    line = '';
    const [count = 0] = numbers;
    assertCount(count);
    if (numbers.length < 1 + 2 * count) continue;
    for (let padding = (BLOCK - ((at + 1) % BLOCK)) % BLOCK; padding > 0;) {
      const piece = await source.some(padding);
      if (piece.length === 0 || !isZero(piece)) throw malformed('its map is incomplete');
      padding -= piece.length;
    }
    return numbers.slice(1);
  }
}

function toRegions(numbers: readonly number[], size: number): Region[] {
  if (numbers.length % 2 !== 0) throw malformed('its map is incomplete');
  assertCount(numbers.length / 2);
  const regions: Region[] = [];
  let end = 0;
  for (let i = 0; i < numbers.length; i += 2) {
    const [offset = 0, length = 0] = numbers.slice(i, i + 2);
    if (offset < end || offset + length > size)
      throw malformed('the parts of its map overlap, or exceed its size');
    end = offset + length;
    regions.push({ offset, size: length });
  }
  return regions;
}

function assertCount(regions: number): void {
  if (regions <= MAX_REGIONS) return;
  throw new DrayageError('LIMIT', `a sparse file in the archive has over ${MAX_REGIONS} parts`, {
    expected: MAX_REGIONS,
    actual: regions,
  });
}

function numberOf(text: string): number {
  if (NUMBER.test(text) && Number.isSafeInteger(Number(text))) return Number(text);
  throw malformed('a number of it is not decimal');
}

function malformed(why: string): DrayageError {
  return new DrayageError('MALFORMED', `a sparse file in the archive is malformed: ${why}`);
}
