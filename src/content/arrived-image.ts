import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { SavedLayer } from './layer.ts';

/** An image whose content has arrived: all that `root` leads to is stored. Nothing names it there yet. */
export interface ArrivedImage {
  /** The manifest, kept or written, or the image index that was kept. */
  root: Descriptor;
  /** The config digest. Of an index: that of the first image. */
  id: Digest;
  /** Familiar references. */
  names: string[];
  /** What other tools call it, where that is no name: `latest`. */
  foreign?: string[];
  /** The one of these words by which it was asked for. */
  foundAs?: string;
  /** Its annotations where it comes from; also the digest of the index of which it is only a part. */
  annotations: Record<string, string>;
  /** Bottom first. Of an index: those of the first image. */
  layers: SavedLayer[];
  /** Whether its manifest was written here, over the layers as they are stored, so that nobody knows it yet. */
  isWritten: boolean;
  /** Manifests about it that came with it, and are stored as well: signatures, SBOMs. */
  referrers: Descriptor[];
}
