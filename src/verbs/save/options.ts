import type { SavedLayer } from '../../content/layer.ts';
import type { ImageStore } from '../../content/store.ts';
import type { CodecName } from '../../ingest/codec.ts';
import type { Digest } from '../../oci/digest.ts';
import type { ImageIdentity, OnPlanned } from '../../listing/unique-reference.ts';
import type { Selection } from '../../select/selection.ts';
import type { BuiltImage } from './sources/built.ts';
import type { SaveSource } from './sources/source.ts';
import type { OmitOptions } from './thin/omitter.ts';

/** Options of `save`. */
export interface SaveOptions extends Selection, OmitOptions {
  from: SaveSource;
  /** Names or digests. From a daemon at least one; from an archive or another layout, default: all. */
  images?: readonly string[] | undefined;
  /**
   * Images that a build made: saved as well, under the names that it gave them. Of an archive or a layout; for a daemon, see
   * `names`.
   */
  built?: readonly BuiltImage[] | undefined;
  /**
   * Proves that each blob of an adopted image contains the layer that the config states. Other images are always proven.
   * Default false: the blobs are only hashed.
   */
  prove?: boolean | undefined;
  /**
   * Names under which a daemon's images were built, by the text in `images` that requests them. The images get these
   * names, whatever the daemon calls them now. Default: the requested name.
   */
  names?: ReadonlyMap<string, readonly string[]> | undefined;
  /**
   * Requests all images from a daemon at once: it sends shared layers once. Docker's own store then loses count of
   * these layers and never frees them, so use this for a daemon that is thrown away. Default false.
   */
  oneRequest?: boolean | undefined;
  /** The layout to save into. */
  to: ImageStore;
  /** The compression of uncompressed layers. Default `auto`: zstd if the runtime has it built in, else gzip. */
  compress?: CodecName | undefined;
  /** Compression level; default 1. */
  level?: number | undefined;
  /**
   * How many threads hash and compress. Default: the number of cores, or the container's CPU quota. Saves and proofs at
   * the same time share them.
   */
  concurrency?: number | undefined;
  /**
   * Bytes of layers in memory at once while they are hashed and compressed. Default 32 MiB. Saves and proofs at the same
   * time share them.
   */
  memory?: number | undefined;
  /** Annotations for every image, such as the origin of the saving job. */
  annotations?: Readonly<Record<string, string>> | undefined;
  /** Called when all images have arrived, before the layout changes. An error that it throws stops the save. */
  onPlanned?: OnPlanned | undefined;
}

/** A saved image. */
export interface SavedImage extends ImageIdentity {
  /** Other tools' words for it, by which it was requested. */
  foundAs?: readonly string[] | undefined;
  /** Digests of the indexes in the archive or layout that it is a part of: only some of their images were there. */
  originalIndexes?: readonly Digest[] | undefined;
  /** `os/architecture[/variant]` */
  platform: string;
  layers: SavedLayer[];
}

/** Result of `save`. */
export interface SaveResult {
  /** The layout's folder. */
  layout: string;
  images: SavedImage[];
  /** Bytes read from the source; stored bytes of layers, each counted once. */
  bytes: { read: number; written: number; reused: number; omitted: number; total: number };
  seconds: number;
}
