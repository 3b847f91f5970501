import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { SavedLayer } from './layer.ts';

/** An image that has arrived: everything below `root` is stored. No name refers to it yet. */
export interface ArrivedImage {
  /** The manifest, kept or written, or the kept image index. */
  root: Descriptor;
  /** The config digest. For an index, that of the first image. */
  id: Digest;
  /** Familiar references. */
  names: string[];
  /** Other tools' words for it, by which it was requested. */
  foundAs?: readonly string[];
  /** The indexes at its source that it is a part of: only some of their images were there. */
  originalIndexes?: readonly Digest[];
  /** Its annotations at its source; also the digest of the original index, if this is a part of it. */
  annotations: Record<string, string>;
  /** Bottom first. For an index, those of all its images: `layersOfAll`. */
  layers: SavedLayer[];
  /** Whether its manifest was written here, over the layers as they are stored, so that nobody knows it yet. */
  isWritten: boolean;
  /** Manifests that refer to it and arrived with it: signatures, SBOMs. They are stored as well. */
  referrers: Descriptor[];
}
