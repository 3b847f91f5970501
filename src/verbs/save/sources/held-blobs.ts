import type { StoredBlobs } from '../../../archive/read/read.ts';
import type { IngestedLayer, SavedLayer } from '../../../content/layer.ts';
import { savedLayer } from '../../../content/layer.ts';
import type { HeldBlob } from '../../../image/holdings.ts';
import type { Descriptor } from '../../../oci/descriptor.ts';
import type { Digest } from '../../../oci/digest.ts';
import type { SourceOptions } from './source.ts';

/** The blobs that need not arrive again: those of held images, and of images that arrived earlier in this run. */
export class HeldBlobs {
  readonly #holdings: SourceOptions['holdings'];
  /** Arrived layers, by their blobs and, if uncompressed, by their diffIDs. */
  readonly #arrived = new Map<Digest, HeldBlob>();

  constructor(holdings: SourceOptions['holdings']) {
    this.#holdings = holdings;
  }

  /** Whether nothing is held, so that nobody need ask. */
  get isEmpty(): boolean {
    return this.#holdings === undefined && this.#arrived.size === 0;
  }

  /** Adds the layers of an arrived image. */
  add(layers: readonly SavedLayer[]): void {
    for (const blob of layers) {
      const held = { blob, diffId: blob.diffId };
      this.#arrived.set(blob.diffId, held).set(blob.digest, held);
    }
  }

  /** Those of the blobs that are held. */
  async find(blobs: readonly Descriptor[]): Promise<StoredBlobs> {
    const unknown = blobs.filter(({ digest }) => !this.#arrived.has(digest));
    const stored = await this.#holdings?.findBlobs(unknown);
    const found = new Map<Digest, IngestedLayer | Descriptor>();
    for (const received of blobs) {
      const held = this.#arrived.get(received.digest) ?? stored?.get(received.digest);
      if (held !== undefined) found.set(received.digest, inPlaceOf(received, held));
    }
    return found;
  }
}

function inPlaceOf({ digest, size }: Descriptor, { blob, diffId }: HeldBlob): IngestedLayer | Descriptor {
  if (diffId === undefined) return blob;
  // The digest of an uncompressed layer is its diffID.
  const uncompressedSize = digest === diffId ? size : null;
  return { ...savedLayer(blob, { diffId, uncompressedSize, status: 'reused' }), received: { digest, size } };
}
