import type { ArrivedImage } from '../../../src/content/arrived-image.ts';
import type { ReadArchiveOptions } from '../../../src/archive/read/read.ts';
import { readArchive } from '../../../src/archive/read/read.ts';
import { select } from '../../../src/select/select.ts';
import type { Selection } from '../../../src/select/selection.ts';
import { MemoryContent } from './memory-content.ts';
import { plainIngest } from './plain-ingest.ts';

/** What came of an archive, and the content that it left. */
export interface ReadResult {
  images: ArrivedImage[];
  content: MemoryContent;
}

/** Reads an archive that is in memory, in chunks of the given size. */
export async function readBytes(
  bytes: Uint8Array,
  {
    chunk = 65_536,
    codec,
    ...options
  }: Partial<ReadArchiveOptions> &
    Pick<Selection, 'onProgress'> & { chunk?: number; codec?: 'gzip' | 'none' } = {},
): Promise<ReadResult> {
  const content = new MemoryContent();
  const ingest = plainIngest(content, codec);
  const archive = await readArchive(inChunks(bytes, chunk), { ingest, content, ...options });
  const images: ArrivedImage[] = [];
  for (const one of await select([archive.place], options)) images.push(await archive.store(one));
  return { images, content };
}

/** Bytes as a stream. */
export async function* inChunks(
  bytes: Uint8Array,
  size: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  for (let i = 0; i < bytes.length; i += size) yield bytes.subarray(i, i + size);
}
