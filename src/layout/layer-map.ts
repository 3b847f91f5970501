import type { ContentOptions, ContentSource } from '../content/source.ts';
import { isDrayageError, isUnusable } from '../errors.ts';
import { images } from '../image/image.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';

/** Which blobs hold which layers, as the manifests and configs of images pair them up. */
export class LayerMap {
  readonly #blobs = new Map<Digest, Map<Digest, Descriptor>>();
  readonly #layers = new Map<Digest, Set<Digest>>();
  readonly #learned = new Set<Digest>();

  /** Takes in all images of a root, once. One that cannot be read teaches nothing; what it lacks may be staged yet. */
  async learn(source: ContentSource, root: Descriptor, options: ContentOptions = {}): Promise<void> {
    if (this.#learned.has(root.digest)) return;
    try {
      for await (const { layers } of images(source, root, options)) {
        for (const { diffId, blob } of layers) this.#note(diffId, blob);
      }
    } catch (error) {
      if (isDrayageError(error, 'NOT_FOUND')) return;
      if (!isUnusable(error) && !isDrayageError(error, 'LIMIT')) throw error;
    }
    this.#learned.add(root.digest);
  }

  /** The blobs that are said to hold this layer, in whatever compression. */
  blobs(diffId: Digest): Descriptor[] {
    return [...(this.#blobs.get(diffId)?.values() ?? [])];
  }

  /** The layer that a blob is said to hold; undefined where nothing, or more than one thing, is said of it. */
  diffId(blob: Digest): Digest | undefined {
    const [only, ...others] = this.#layers.get(blob) ?? [];
    return others.length > 0 ? undefined : only;
  }

  #note(diffId: Digest, blob: Descriptor): void {
    this.#layers.set(blob.digest, (this.#layers.get(blob.digest) ?? new Set()).add(diffId));
    const known = this.#blobs.get(diffId) ?? new Map<Digest, Descriptor>();
    this.#blobs.set(diffId, known.set(blob.digest, known.get(blob.digest) ?? blob));
  }
}
