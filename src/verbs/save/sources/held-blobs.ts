import type { IngestedLayer, SavedLayer } from '../../../content/layer.ts';
import { savedLayer } from '../../../content/layer.ts';
import type { ContentOptions } from '../../../content/source.ts';
import type { Descriptor } from '../../../oci/descriptor.ts';
import type { Digest } from '../../../oci/digest.ts';
import type { Holdings } from '../arrival.ts';

/** The blobs that need not come again: those of images that are there, and of those that arrived a moment ago. */
export class HeldBlobs {
  readonly #holdings: Holdings | undefined;
  /** Layers that have arrived, by their blobs and, uncompressed, by their diffIDs. */
  readonly #arrived = new Map<Digest, SavedLayer>();

  constructor(holdings: Holdings | undefined) {
    this.#holdings = holdings;
  }

  /** Whether nothing can be held, so that it need not be asked. */
  get isEmpty(): boolean {
    return this.#holdings === undefined && this.#arrived.size === 0;
  }

  /** Takes in the layers of an image that has arrived. */
  add(layers: readonly SavedLayer[]): void {
    for (const layer of layers) this.#arrived.set(layer.diffId, layer).set(layer.digest, layer);
  }

  /** Those of the blobs that are held: layers with what is known of them, others by their descriptor. */
  async find(
    blobs: readonly Descriptor[],
    options: ContentOptions,
  ): Promise<Map<Digest, IngestedLayer | Descriptor>> {
    const found = new Map<Digest, IngestedLayer | Descriptor>();
    for (const received of blobs) {
      const arrived = this.#arrived.get(received.digest);
      if (arrived !== undefined) found.set(received.digest, heldLayer(received, arrived.diffId, arrived));
    }
    const others = blobs.filter(({ digest }) => !found.has(digest));
    for (const [digest, { blob, diffId }] of (await this.#holdings?.findBlobs(others, options)) ?? []) {
      const received = others.find((other) => other.digest === digest);
      if (received === undefined) continue;
      found.set(digest, diffId === undefined ? blob : heldLayer(received, diffId, blob));
    }
    return found;
  }
}

function heldLayer({ digest, size }: Descriptor, diffId: Digest, blob: Descriptor): IngestedLayer {
  // The digest of an uncompressed layer is its diffID.
  const uncompressedSize = digest === diffId ? size : null;
  return { ...savedLayer(blob, { diffId, uncompressedSize, status: 'reused' }), received: { digest, size } };
}
