import type { ImagePlace } from '../../content/image-index.ts';
import type { IngestLayer } from '../../content/layer.ts';
import type { ContentSink } from '../../content/sink.ts';
import type { ContentOptions, ContentSource } from '../../content/source.ts';
import type { ImageEndpoint } from '../../content/endpoint.ts';
import type { Layer } from '../../image/layer.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Selection } from '../../select/selection.ts';

/** Where images are saved from: a daemon, an archive's bytes, or another layout. */
export type SaveSource = ImageEndpoint | { archive: AsyncIterable<Uint8Array> } | ImagePlace;

/** What is there already, so that it need not come again. */
export interface Holdings {
  /** Finds an image by its ID, all of whose content is there and intact. */
  findImage(
    id: Digest,
    options?: ContentOptions,
  ): Promise<{ root: Descriptor; id: Digest; layers: Layer[] } | undefined>;
  /** Which of these blobs are there and intact, each with the blob that stands for it, and the layer that it holds. */
  findBlobs(
    blobs: readonly Descriptor[],
    options?: ContentOptions,
  ): Promise<ReadonlyMap<Digest, { blob: Descriptor; diffId: Digest | undefined }>>;
}

/** Where arriving images come from and go to. */
export interface ArriveOptions extends Selection {
  from: SaveSource;
  /** Further names of a daemon's images, by the text that asks for them. */
  names?: ReadonlyMap<string, readonly string[]>;
  /** Ask a daemon for all images at once. */
  oneRequest?: boolean;
  /** Where the content goes. */
  content: ContentSource & ContentSink;
  /** Absent where nothing is there. */
  holdings?: Holdings;
  ingest: IngestLayer;
  /** Keep a daemon's own manifests over uncompressed layers. */
  keepManifests: boolean;
  /** Called with each number of bytes that has come in. */
  onRead: (bytes: number) => void;
}
