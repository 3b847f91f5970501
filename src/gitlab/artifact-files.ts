import type { ContentOptions, OpenOptions } from '../content/source.ts';
import { DrayageError } from '../errors.ts';
import { MAX_DOCUMENT_SIZE } from '../oci/parse.ts';

/** The files of a job's artifact. */
export interface ArtifactFiles extends AsyncDisposable {
  /** Names the artifact in errors. */
  readonly name: string;
  /** Every path, with the size of the file in bytes; -1 for an unreadable file. */
  readonly sizes: ReadonlyMap<string, number>;
  /** Whether reading costs requests each time. */
  readonly isRemote: boolean;
  /**
   * Reads a file. The bytes are not checked.
   * @throws {@link DrayageError} `NOT_FOUND`, `MALFORMED`, `LINK`, `UNREACHABLE`, `TIMEOUT`
   */
  read(path: string, options?: OpenOptions): AsyncIterable<Uint8Array>;
  /**
   * Checks a small file that was read whole, if the artifact has a checksum for it.
   * @throws {@link DrayageError} `MALFORMED`
   */
  check(path: string, bytes: Uint8Array): void;
}

/**
 * Reads a small file whole.
 * @throws {@link DrayageError} as {@link ArtifactFiles.read}; `LIMIT`
 */
export async function readSmallFile(
  files: ArtifactFiles,
  path: string,
  options?: ContentOptions,
): Promise<Buffer> {
  const size = files.sizes.get(path) ?? 0;
  if (size > MAX_DOCUMENT_SIZE) {
    throw new DrayageError('LIMIT', `${path} has ${size} bytes, over the limit of ${MAX_DOCUMENT_SIZE}`, {
      entry: path,
      expected: MAX_DOCUMENT_SIZE,
      actual: size,
    });
  }
  const chunks: Uint8Array[] = [];
  for await (const chunk of files.read(path, options)) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  files.check(path, bytes);
  return bytes;
}
