import type { IngestedLayer } from '../../content/layer.ts';
import type { Descriptor } from '../../oci/descriptor.ts';

/** An image that an archive held. All content that `root` leads to is stored. */
export interface ArchivedImage {
  /** Familiar references; none where it has no name. */
  names: string[];
  /** What other tools call it, where that is no name: `latest`. */
  foreign?: string[];
  /** The manifest, kept or written, or the image index that was kept. */
  root: Descriptor;
  config: Descriptor;
  /** Bottom first, one per diffID. Of an index: those of the first image. */
  layers: IngestedLayer[];
  /** Manifests about this image that came with it (signatures, SBOMs), stored as well. */
  referrers: Descriptor[];
  /** Whether the manifest was written here, over the layers as they are stored. */
  isWritten: boolean;
  /** Facts to keep with it: the digest of the index of which it is only a part. */
  annotations: Record<string, string>;
}
