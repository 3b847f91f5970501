import type { ContentOptions, ContentSource } from '../../../content/source.ts';
import type { Layer } from '../../../image/layer.ts';
import type { Descriptor } from '../../../oci/descriptor.ts';
import type { Digest } from '../../../oci/digest.ts';

/** Layers that can be had elsewhere, so that a layout may leave them out: those of another layout, or of a base image. */
export interface LayerBase {
  /** Finds the blob that a layer can be had as. */
  findLayer(diffId: Digest, options?: ContentOptions): Promise<Descriptor | undefined>;
  /** Finds the layer that a blob holds; undefined where the blob is not to be had. */
  findBlob(digest: Digest, options?: ContentOptions): Promise<Layer | undefined>;
  /** What is to be said of an image that leaves out these blobs: where they are, as far as it is not simply here. */
  annotationsFor(omitted: ReadonlySet<Digest>): Record<string, string>;
  /** Where the blobs are read, should they be needed after all. */
  readonly source: ContentSource;
}
