import type { Image } from '../../image/image.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import type { LayerStatus, OnProgress } from '../../progress.ts';

/** Reports each layer of an image once while it is loaded, however often it is sent. */
export class LayerReport {
  /** The layers that are not done, by the digests under which they are sent. */
  readonly #left: Map<Digest, Descriptor>;
  readonly #sent: Image['layers'];
  readonly #onProgress: OnProgress | undefined;

  /**
   * @param layers as the image's place has them; they are reported
   * @param sent the same layers as they are sent
   */
  constructor(layers: Image['layers'], sent: Image['layers'], onProgress: OnProgress | undefined) {
    this.#left = new Map(sent.map(({ blob }, i) => [blob.digest, layers[i]?.blob ?? blob]));
    this.#sent = sent;
    this.#onProgress = onProgress;
  }

  /** A layer is written into the archive that is being sent. */
  readonly written = ({ digest }: Descriptor): void => this.#tell(digest, 'written');

  /** @param held for each layer, whether the daemon had it */
  reused(held: readonly boolean[]): void {
    const missing = new Set(this.#sent.filter((_, i) => held[i] !== true).map(({ blob }) => blob.digest));
    for (const { blob } of this.#sent) if (!missing.has(blob.digest)) this.#tell(blob.digest, 'reused');
  }

  /** The image is in the daemon, with all of its layers. */
  finish(held: readonly boolean[]): void {
    this.reused(held);
    for (const digest of this.#left.keys()) this.#tell(digest, 'written');
  }

  #tell(digest: Digest, status: LayerStatus): void {
    const blob = this.#left.get(digest);
    if (blob === undefined) return;
    this.#left.delete(digest);
    this.#onProgress?.({ kind: 'layer', digest: blob.digest, size: blob.size, status });
  }
}
