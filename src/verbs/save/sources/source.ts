import type { ImagePlace } from '../../../content/image-index.ts';
import type { IngestLayer } from '../../../content/layer.ts';
import type { ContentSink } from '../../../content/sink.ts';
import type { ContentSource } from '../../../content/source.ts';
import type { ImageEndpoint } from '../../../content/endpoint.ts';
import type { Descriptor } from '../../../oci/descriptor.ts';
import type { Holdings } from '../../../image/holdings.ts';
import type { BuiltImage } from './built.ts';
import type { FillableBytes } from '../../../stream/fillable.ts';
import type { Selection } from '../../../select/selection.ts';
import type { ArrivingLayers } from './arriving-layers.ts';

/** The bytes of an archive. */
export interface ArchiveBytes {
  /**
   * The path of a file or a named pipe; or bytes, which are read to their end, or destroyed. A file and {@link FillableBytes} are
   * read into memory that is used again: with less memory and time than a stream.
   */
  archive: string | AsyncIterable<Uint8Array> | FillableBytes;
  /** Names it in errors. Default: the path; errors about bytes do not name them. */
  name?: string | undefined;
}

/** The source of a save: a daemon, an archive's bytes, or another layout. */
export type SaveSource = ImageEndpoint | ArchiveBytes | ImagePlace;

/** Where images come from and where their content goes. */
export interface SourceOptions extends Selection {
  from: SaveSource;
  /** Further names of a daemon's images, by the text that requests them. */
  names?: ReadonlyMap<string, readonly string[]>;
  /** Images of an archive or a layout that a build made. */
  built?: readonly BuiltImage[];
  /** Requests all images from a daemon at once. */
  oneRequest?: boolean;
  /** The target of the content. */
  content: ContentSource & ContentSink;
  /** What the store holds already. Absent if it is empty. */
  holdings?: Pick<Holdings, 'findImage' | 'findBlobs' | 'prepare'>;
  ingest: IngestLayer;
  /** Hears which layers come from a daemon. Default: layers are not reported. */
  arriving?: ArrivingLayers;
  /** Keeps a daemon's own manifests over uncompressed layers. */
  keepManifests: boolean;
  /** Called with the number of bytes of each chunk that arrives, and with their blob where it is known. */
  onRead: (bytes: number, blob?: Descriptor) => void;
}
