import type { ContentOptions } from '../content/source.ts';

/** A file with random access. */
export interface RandomAccess extends AsyncDisposable {
  /** In bytes. */
  readonly size: number;
  /** Names it in errors. */
  readonly name: string;
  /** Whether reading costs requests each time. */
  readonly isRemote: boolean;
  /**
   * Reads `length` bytes from `start` on; never ends early.
   * @throws {@link DrayageError} `UNREACHABLE`, `TIMEOUT`, `NOT_FOUND`, `IO`
   */
  read(start: number, length: number, options?: ContentOptions): AsyncIterable<Uint8Array>;
}

/** Reads a part into memory. */
export async function readPart(
  file: RandomAccess,
  start: number,
  length: number,
  options?: ContentOptions,
): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of file.read(start, length, options)) chunks.push(chunk);
  return Buffer.concat(chunks);
}
