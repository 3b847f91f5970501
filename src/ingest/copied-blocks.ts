import type { BlobWriter } from '../content/sink.ts';
import type { Slot } from './slots.ts';

/** A writer that says when it no longer needs the chunks. */
type FlushingWriter = BlobWriter & { flush(): Promise<void> };

/** Whether blocks can be written, and then filled again. */
export function canFlush(writer: BlobWriter): writer is FlushingWriter {
  return writer.flush !== undefined;
}

/** Writes blocks as they are. Each is released when it is written; meanwhile the next ones are read. */
export async function copyBlocks(blocks: AsyncIterable<Slot>, writer: FlushingWriter): Promise<void> {
  for await (const block of blocks) {
    try {
      if (block.bytes.length > 0) await writer.write(block.bytes);
    } finally {
      // A failure is reported by the next write, or at the end.
      const release = (): void => block.release();
      writer.flush().then(release, release);
    }
  }
}
