import type { IngestedLayer } from '../../content/layer.ts';
import { ORIGINAL_INDEX } from '../../image/annotations.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
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

/** What leads to an image, and its layers under the blobs that it names. */
export interface ImageRoot {
  root: Descriptor;
  config: Descriptor;
  layers: IngestedLayer[];
  /** Manifests about this image that came with it: signatures, SBOMs. Stored, and reached from nowhere else. */
  referrers: Descriptor[];
  /** Whether the manifest was written here, over the layers as they are stored. */
  isWritten: boolean;
  /** The digest of the index of which this is only a part, where that is so. */
  annotations: Record<string, string>;
}

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
  async settle(parts: ImageParts, name: string | undefined): Promise<ImageRoot> {
    const choice = this.#choice.of(parts, name);
    return choice === undefined ? this.#rebuilt(parts) : this.#kept(parts)(choice);
  }

  readonly #rebuilt = memoize(async (parts: ImageParts): Promise<ImageRoot> => {
    const { blobs } = this.#context;
    const config = { ...bareDescriptor(parts.config.descriptor), mediaType: OCI_CONFIG };
    const manifest = buildManifest(
      config,
      parts.layers.map(({ blob }) => blob),
    );
    await blobs.putDocument(parts.config);
    await blobs.putDocument(manifest);
    const { descriptor: root } = manifest;
    return { root, config, layers: parts.layers, referrers: [], isWritten: true, annotations: {} };
  });

  readonly #kept = memoize((parts: ImageParts) => {
    const layers = memoize((manifest: GraphManifest) => layersUnder(parts, manifest));
    return memoize(async (choice: Choice) => this.#keep(choice, layers(choice.manifest)));
  });

  async #keep({ manifest, kept, original }: Choice, layers: IngestedLayer[]): Promise<ImageRoot> {
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
      config: bareDescriptor(manifest.value.config),
      layers,
      referrers: referrers.map(({ descriptor }) => bareDescriptor(descriptor)),
      isWritten: false,
      annotations: original === undefined ? {} : { [ORIGINAL_INDEX]: original },
    };
  }
}

/** An image's layers under the blobs that a manifest names. */
function layersUnder(parts: ImageParts, { value }: GraphManifest): IngestedLayer[] {
  return parts.layers.map((layer, i) => ({ ...layer, blob: bareDescriptor(value.layers[i] ?? layer.blob) }));
}
