import type { ImagePlace } from '../../../content/image-index.ts';
import type { IngestLayer } from '../../../content/layer.ts';
import type { ContentSink } from '../../../content/sink.ts';
import type { ContentSource } from '../../../content/source.ts';
import type { ImageEndpoint } from '../../../content/endpoint.ts';
import type { Holdings } from '../../../image/holdings.ts';
import type { Selection } from '../../../select/selection.ts';

/** Where images are saved from: a daemon, an archive's bytes, or another layout. */
export type SaveSource = ImageEndpoint | { archive: AsyncIterable<Uint8Array> } | ImagePlace;

/** Where images come from and where their content goes. */
export interface SourceOptions extends Selection {
  from: SaveSource;
  /** Further names of a daemon's images, by the text that asks for them. */
  names?: ReadonlyMap<string, readonly string[]>;
  /** Ask a daemon for all images at once. */
  oneRequest?: boolean;
  /** Where the content goes. */
  content: ContentSource & ContentSink;
  /** What the store holds already. Absent where it is empty. */
  holdings?: Pick<Holdings, 'findImage' | 'findBlobs'>;
  ingest: IngestLayer;
  /** Keep a daemon's own manifests over uncompressed layers. */
  keepManifests: boolean;
  /** Called with each number of bytes that has come in. */
  onRead: (bytes: number) => void;
}
