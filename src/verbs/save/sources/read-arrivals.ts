import type { ReadArchiveOptions } from '../../../archive/read/read.ts';
import { readArchive } from '../../../archive/read/read.ts';
import type { Digest } from '../../../oci/digest.ts';
import type { ArrivedImage } from '../../../content/arrived-image.ts';
import type { IngestLayer, SavedLayer } from '../../../content/layer.ts';
import type { ArriveOptions } from '../arrival.ts';

/** What an archive brought. */
export interface ArchiveArrivals {
  arrivals: ArrivedImage[];
  /** All layers that came with it, by diffID: also those of images that were not asked for. */
  layers: ReadonlyMap<Digest, SavedLayer>;
}

/** What is known of an archive before it comes. */
type Foreknowledge = Pick<ReadArchiveOptions, 'stored' | 'expected'>;

/** Takes in all images of an archive. */
export async function readArrivals(
  archive: AsyncIterable<Uint8Array>,
  { content, ingest, keepManifests, onRead, signal }: ArriveOptions,
  known: Foreknowledge = {},
): Promise<ArchiveArrivals> {
  const passed = new Map<Digest, SavedLayer>();
  const noted: IngestLayer = async (bytes, hint) => {
    const layer = await ingest(bytes, hint);
    passed.set(layer.diffId, layer);
    return layer;
  };
  const options = { ingest: noted, content, keepManifests, onRead, signal, ...known };
  return { arrivals: await readArchive(archive, options), layers: passed };
}
