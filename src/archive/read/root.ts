import type { ArrivedImage } from '../../content/arrived-image.ts';
import type { SavedLayer } from '../../content/layer.ts';
import { savedLayer } from '../../content/layer.ts';
import { ORIGINAL_INDEX } from '../../image/annotations.ts';
import { bareDescriptor } from '../../oci/descriptor.ts';
import { buildManifest } from '../../oci/manifest.ts';
import { OCI_CONFIG } from '../../oci/media-types.ts';
import type { BlobStore } from './blob-store.ts';
import type { GraphEntry, GraphManifest, GraphNode } from './graph.ts';
import { imageManifests, isComplete, putNode } from './graph-walk.ts';
import type { ImageParts, PartsReader } from './image-parts.ts';
import { memoize } from './memoize.ts';
import type { Choice } from './root-choice.ts';
import { RootChoice } from './root-choice.ts';

/** What {@link Roots} goes by. */
export interface RootContext {
  /** What index.json lists; nothing where there is none. */
  entries: readonly GraphEntry[];
  parts: PartsReader;
  blobs: BlobStore;
  /** Keep manifests over uncompressed layers too. */
  keepManifests: boolean;
}

/**
 * Decides which document leads to an image, and stores it with all that it leads to.
 *
 * The archive's own manifest is kept, byte for byte, where its layers are stored as they came; also where something
 * attests to it, then with the layers put back as they came. With it the outermost image index
 * is kept, without what of it is absent. Otherwise a manifest is written over the layers as they are stored.
 *
 * All work is done once for an image, under however many names it comes.
 */
export class Roots {
  readonly #context: RootContext;
  readonly #choice: RootChoice;
  readonly #stored = new Set<GraphNode>();

  constructor(context: RootContext) {
    this.#context = context;
    this.#choice = new RootChoice(context.entries, context.blobs, context.keepManifests);
  }

  /** @param name the name that is settled; manifests which the archive lists under it come first */
  async settle(parts: ImageParts, name: string | undefined): Promise<ArrivedImage> {
    const choice = this.#choice.of(parts, name);
    return choice === undefined ? this.#rebuilt(parts) : this.#kept(parts)(choice);
  }

  readonly #rebuilt = memoize(async (parts: ImageParts): Promise<ArrivedImage> => {
    const { blobs } = this.#context;
    const config = { ...bareDescriptor(parts.config.descriptor), mediaType: OCI_CONFIG };
    const manifest = buildManifest(config, parts.layers.map(bareDescriptor));
    await blobs.putDocument(parts.config);
    await blobs.putDocument(manifest);
    const { descriptor: root } = manifest;
    const layers = parts.layers.map((layer) => savedLayer(layer, layer));
    return { root, id: config.digest, names: [], annotations: {}, layers, isWritten: true, referrers: [] };
  });

  readonly #kept = memoize((parts: ImageParts) => {
    const layers = memoize((manifest: GraphManifest) => layersUnder(parts, manifest));
    return memoize(async (choice: Choice) => this.#keep(choice, layers(choice.manifest)));
  });

  async #keep({ manifest, kept, original }: Choice, layers: SavedLayer[]): Promise<ArrivedImage> {
    const { blobs, parts } = this.#context;
    const images = imageManifests(kept);
    // Images of other platforms, which nobody named, are checked as well.
    for (const { value } of images) await parts.oci(value);
    await putNode(kept, blobs, this.#stored);
    const referrers = this.#choice
      .referrers([kept, ...images].map(({ descriptor }) => descriptor.digest))
      .filter((referrer) => isComplete(referrer, blobs));
    for (const referrer of referrers) await putNode(referrer, blobs, this.#stored);
    return {
      root: bareDescriptor(kept.descriptor),
      id: manifest.value.config.digest,
      names: [],
      annotations: original === undefined ? {} : { [ORIGINAL_INDEX]: original },
      layers,
      isWritten: false,
      referrers: referrers.map(({ descriptor }) => bareDescriptor(descriptor)),
    };
  }
}

/** An image's layers under the blobs that a manifest names. */
function layersUnder(parts: ImageParts, { value }: GraphManifest): SavedLayer[] {
  return parts.layers.map((layer, i) => savedLayer(value.layers[i] ?? layer, layer));
}
