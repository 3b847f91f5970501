import type { ImageEndpoint } from '../../../content/endpoint.ts';
import type { ImagePlace } from '../../../content/image-index.ts';
import { placeOf } from '../../../content/overlay.ts';
import type { IngestLayer } from '../../../content/layer.ts';
import type { BlobWriter, ContentSink } from '../../../content/sink.ts';
import { noteIngested } from '../../../image/proven.ts';
import { chooseCodec } from '../../../ingest/codec.ts';
import { createIngest } from '../../../ingest/ingest.ts';
import { addition, changeEntries } from '../../../listing/changes.ts';
import { Listing } from '../../../listing/listing.ts';
import { createDigester } from '../../../oci/digest.ts';
import { paced } from '../../../progress.ts';
import type { Selection } from '../../../select/selection.ts';
import { PassingContent } from './passing-content.ts';
import { takeImages } from './take.ts';

/** Images of a daemon as a place. Dispose of it, to end requests. */
type DaemonPlace = ImagePlace & AsyncDisposable;

/** The place in errors. */
const PLACE = 'the daemon';

/**
 * Opens images of a daemon as a place that keeps no layer. Their archives are read to the end first: documents are kept,
 * layers are hashed and proven. A layer that is opened later is read from an archive that is requested again.
 * @throws {@link DrayageError} as of `save`; `LIMIT` if an archive holds more than memory should, beside layers
 */
export async function openDaemonPlace(daemon: ImageEndpoint, options: Selection): Promise<DaemonPlace> {
  return paced(options, async (selection) => readImages(daemon, selection));
}

async function readImages(daemon: ImageEndpoint, options: Selection): Promise<DaemonPlace> {
  const { images, platform, signal, onProgress } = options;
  const content = new PassingContent(daemon, { platform, signal });
  const ingest: IngestLayer = async (bytes, { entry, compression }) => {
    const passed = content.comes(entry);
    // One for each layer: no blob stands in for another one that has the same layer.
    await using hashing = createIngest(HASHED, {
      codec: chooseCodec('none'),
      hashesOnly: true,
      signal,
      onLayer: noteIngested,
    });
    return passed(await hashing.layer(bytes, { entry, compression }));
  };
  const arrived = await takeImages({
    from: content.recordedDaemon,
    images,
    platform,
    signal,
    onProgress,
    content: content.kept,
    ingest,
    keepManifests: true,
    onRead: (bytes) => onProgress?.({ kind: 'bytes', direction: 'read', bytes }),
  });
  const added = arrived.flatMap(({ root, names, annotations, referrers }) => [
    ...referrers.map((referrer) => addition(referrer, [], {})),
    addition(root, names, annotations),
  ]);
  const index = { manifests: changeEntries([], added, PLACE), unread: [] };
  const place = placeOf(content, new Listing({ content, index: async () => index, place: PLACE }));
  return { ...place, [Symbol.asyncDispose]: async () => content.close() };
}

/** Hashes compressed layers as they come, and keeps nothing. */
const HASHED: Pick<ContentSink, 'begin'> = {
  begin: async (): Promise<BlobWriter> => {
    const digester = createDigester();
    let size = 0;
    return {
      write: async (chunk) => {
        digester.update(chunk);
        size += chunk.length;
      },
      commit: async ({ mediaType = 'application/octet-stream' } = {}) => ({
        mediaType,
        digest: digester.digest(),
        size,
      }),
      abort: async () => {},
    };
  },
};
