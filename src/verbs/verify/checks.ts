import type { ContentSource } from '../../content/source.ts';
import type { DrayageError } from '../../errors.ts';
import { isDrayageError } from '../../errors.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import type { OnProgress } from '../../progress.ts';
import { startLayers } from '../../progress.ts';
import { derived } from '../../stream/derived.ts';
import { tap } from '../../stream/tap.ts';

/** The checks of one pass over a layout: each is made once and is progress; problems are kept, to name them all. */
export class Checks {
  /** The content, whose reading is progress. */
  readonly source: ContentSource;
  readonly problems: DrayageError[] = [];
  /** What was checked, and its stored bytes. */
  readonly counts = { blobs: 0, bytes: 0 };
  readonly #onProgress: OnProgress | undefined;
  readonly #results = new Map<string, boolean>();
  /** What is read now, and how many of its stored bytes are not reported yet. */
  #current: { digest?: Digest; left: number } = { left: 0 };
  #onChecked: ReturnType<typeof startLayers> | undefined;

  constructor(content: ContentSource, onProgress: OnProgress | undefined) {
    this.#onProgress = onProgress;
    this.source = {
      has: async (descriptor, options) => content.has(descriptor, options),
      open: async (descriptor, options) => {
        const bytes = await content.open(descriptor, options);
        // Each piece is reported as it is read: a blob may be large.
        const told = tap(bytes, ({ length }) => this.#report(descriptor.digest, length));
        return derived(bytes, told);
      },
    };
  }

  /** Reports the start: what is known of the work. */
  start(images: number, blobs: readonly Descriptor[]): void {
    this.#onChecked = startLayers(this.#onProgress, images, [blobs]);
    this.#onProgress?.({ kind: 'phase', phase: 'verifying' });
  }

  /**
   * Checks content, unless it was checked before; a layer is checked once for each diffID.
   * @returns whether it is intact
   */
  async once(descriptor: Descriptor, read: () => Promise<unknown>, diffId?: Digest): Promise<boolean> {
    const { digest, size } = descriptor;
    const key = `${digest} ${diffId ?? ''}`;
    const known = this.#results.get(key);
    if (known !== undefined) return known;
    this.#current = { digest, left: size };
    const isIntact = await this.collect(read);
    this.#results.set(key, isIntact);
    this.counts.blobs += 1;
    this.counts.bytes += size;
    // What was not read, because it is known: progress ends at the size of the layout.
    this.#report(digest, this.#current.left);
    this.#onChecked?.(descriptor, 'reused');
    return isIntact;
  }

  /** @returns whether the work found no problem; one that it throws is kept */
  async collect(work: () => Promise<unknown>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      if (!isDrayageError(error)) throw error;
      this.problems.push(error);
      return false;
    }
  }

  #report(digest: Digest, read: number): void {
    const bytes = digest === this.#current.digest ? Math.min(read, this.#current.left) : 0;
    this.#current.left -= bytes;
    if (bytes > 0) this.#onProgress?.({ kind: 'bytes', direction: 'read', bytes, digest });
  }
}
