import { MemoryContent as Shipped } from '../../src/memory/memory-content.ts';

/** Content in memory: a real source and sink. A test may put damaged bytes under a digest. */
export class MemoryContent extends Shipped {
  /** A few bytes: no reader may rely on the size of chunks. */
  protected override pieceSize(size: number): number {
    return Math.max(7, Math.ceil(size / 50));
  }
}
