import type { ProgressEvent } from '../index.ts';
import { formatBytes } from '../text/bytes.ts';
import { count } from '../text/count.ts';

type Start = Extract<ProgressEvent, { kind: 'start' }>;

/** How much of the work is done, if it was said beforehand how much there is. */
export class ProgressTotal {
  #all: Start | undefined;
  #layers = 0;
  #size = 0;
  /** Whether bytes of a stream move, which are not the stored bytes of blobs. */
  #isStream = false;
  /** Stored bytes of blobs that are not done, by digest: what was read of one may be sent, too. */
  readonly #moving = new Map<string, { read: number; sent: number }>();

  take(event: ProgressEvent): void {
    if (event.kind === 'start') {
      this.#all = event;
      this.#layers = 0;
      this.#size = 0;
      this.#isStream = false;
      this.#moving.clear();
    } else if (event.kind === 'layer') {
      this.#layers++;
      this.#size += event.size;
      this.#moving.delete(event.digest);
    } else if (event.kind === 'bytes') {
      if (event.digest === undefined) {
        this.#isStream = true;
        return;
      }
      const moved = this.#moving.get(event.digest) ?? { read: 0, sent: 0 };
      moved[event.direction] += event.bytes;
      this.#moving.set(event.digest, moved);
    }
  }

  /**
   * How much is done of how much.
   * @param moved what is said without a total: `1.0 MB read`
   * @returns `1.0 MB of 4.0 MB`; of a stream, `1.0 MB read, 1 of 3 blobs`: configs may count, too
   */
  text(moved: string): string {
    if (this.#all === undefined) return moved;
    const { layers, size } = this.#all;
    if (size === null || this.#isStream)
      return layers === null ? moved : `${moved}, ${this.#layers} of ${count(layers, 'blob')}`;
    const moving = [...this.#moving.values()].reduce((sum, { read, sent }) => sum + Math.max(read, sent), 0);
    return `${formatBytes(Math.min(size, this.#size + moving))} of ${formatBytes(size)}`;
  }
}
