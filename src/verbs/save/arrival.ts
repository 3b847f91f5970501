import type { ImagePlace } from '../../content/image-index.ts';
import type { IngestedLayer, IngestLayer } from '../../content/layer.ts';
import type { Authenticate, ImagePolicy } from '../../content/policy.ts';
import type { ContentSink } from '../../content/sink.ts';
import type { ContentOptions, ContentSource } from '../../content/source.ts';
import type { ImageEndpoint } from '../../content/endpoint.ts';
import type { Layer } from '../../image/layer.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Platform } from '../../oci/platform.ts';
import type { LayerStatus, OnProgress } from '../../progress.ts';

/** Where images are saved from: a daemon, an archive's bytes, or another layout. */
export type SaveSource = ImageEndpoint | { archive: AsyncIterable<Uint8Array> } | ImagePlace;

/** A layer of a {@link SavedImage}. */
export interface SavedLayer {
  digest: Digest;
  /** Stored bytes. */
  size: number;
  diffId: Digest;
  /** In bytes; null where the layer was there already and was not decompressed. */
  uncompressedSize: number | null;
  mediaType: string;
  status: LayerStatus;
}

/** An image whose content has arrived; nothing names it yet. */
export interface Arrival {
  root: Descriptor;
  /** The config digest. */
  id: Digest;
  names: string[];
  /** What other tools call it, where that is no name. */
  foreign?: string[];
  /** The one of these words by which it was asked for; only where it was. */
  foundAs?: string;
  /** What it was annotated with where it comes from. */
  annotations: Record<string, string>;
  layers: SavedLayer[];
  /** Whether its manifest was written as it arrived, so that nobody knows it yet. */
  isWritten: boolean;
  /** What refers to it and came with it: signatures, SBOMs. */
  referrers: Descriptor[];
}

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
export interface ArriveOptions extends ContentOptions {
  from: SaveSource;
  images?: readonly string[];
  /** Further names of a daemon's images, by the text that asks for them. */
  names?: ReadonlyMap<string, readonly string[]>;
  policy?: ImagePolicy;
  authenticate?: Authenticate;
  /** Only the image for this platform. */
  platform?: Platform;
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
  onProgress?: OnProgress;
}

/** What is told of a layer whose bytes have passed, or that was there. */
export function savedLayer(
  layer: Omit<IngestedLayer, 'received' | 'status'> & Pick<SavedLayer, 'status'>,
): SavedLayer {
  const { blob, diffId, uncompressedSize, status } = layer;
  const { digest, size, mediaType } = blob;
  return { digest, size, diffId, uncompressedSize, mediaType, status };
}
