import { lookBelow } from '../disk/below.ts';
import type { LayoutIndex } from '../oci/image-index.ts';
import { INDEX_FILE } from '../oci/layout.ts';
import { stampOf } from './known-blobs.ts';
import { readLayoutIndex } from './layout-files.ts';

/**
 * The index.json of a layout. It is asked for with every document, so it is read again only if the file was changed or
 * replaced.
 */
export class IndexFile {
  readonly #root: string;
  #last: { stamp: string; index: LayoutIndex } | undefined;

  constructor(root: string) {
    this.#root = root;
  }

  /**
   * The content as it is now: the same object as long as the file is the same.
   * @throws {@link DrayageError} as {@link readLayoutIndex}
   */
  async read(): Promise<LayoutIndex> {
    const before = await this.#stamp();
    if (before !== undefined && this.#last?.stamp === before) return this.#last.index;
    const index = await readLayoutIndex(this.#root);
    // What changed while it was read is read again next time.
    const isSame = before !== undefined && before === (await this.#stamp());
    this.#last = isSame ? { stamp: before, index } : undefined;
    return index;
  }

  async #stamp(): Promise<string | undefined> {
    const stats = await lookBelow(this.#root, [INDEX_FILE]);
    return stats && stampOf(stats);
  }
}
