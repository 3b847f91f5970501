import type { IngestedLayer, IngestLayer } from '../../content/layer.ts';
import type { ContentSink } from '../../content/sink.ts';
import { writeBlob } from '../../content/sink.ts';
import type { ContentOptions, ContentSource } from '../../content/source.ts';
import { DrayageError } from '../../errors.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { digestAlgorithm } from '../../oci/digest.ts';
import { CODECS, detectCompression, MAGIC_BYTES, refuseForeign } from '../../stream/codecs.ts';
import { abortable } from '../../stream/abortable.ts';
import { TailReader } from '../tar/tail-reader.ts';
import { Archive } from './archive.ts';
import { openUnended } from './unended.ts';
import { collect } from './collect.ts';
import { blobName } from '../../oci/layout.ts';
import { ArchiveContents } from './contents.ts';

/** Blobs that are stored: layers with what is known of them, all others by their descriptor. */
export type StoredBlobs = ReadonlyMap<Digest, IngestedLayer | Descriptor>;

/** Options of {@link readArchive}. */
export interface ReadArchiveOptions extends ContentOptions {
  /** Takes each layer's bytes. */
  ingest: IngestLayer;
  /** Where everything else is stored, and where what is stored can be read back. */
  content: ContentSource & ContentSink;
  /**
   * Blobs that are stored already, and that the archive may therefore lack. Asked for when the archive has passed.
   */
  stored?: StoredBlobs;
  /** The diffIDs of images that are to come, bottom first: docker before 25 names no layer by its digest. Default: none. */
  expected?: readonly (readonly Digest[])[];
  /** Called with the number of bytes of each chunk that arrives. */
  onRead?: (bytes: number) => void;
  /** Keep the archive's manifests even over uncompressed layers, storing these as they came. Default false. */
  keepManifests?: boolean;
}

/**
 * Reads an archive of images in one pass: of `docker save` of all versions since 1.10, of podman, skopeo, buildx, kaniko,
 * jib and others, or an OCI layout as a tar; compressed as a whole or not.
 *
 * Where there is a manifest.json it is the truth, as it is for docker; else index.json. All that is used is checked: the
 * digests that entries' names promise, and each layer's diffID. Memory does not grow with the archive.
 * An archive with a zstd window over 8 MiB is decompressed into `content` before it is read: that needs room for all of it.
 *
 * An archive without its end is read if all that it names has arrived; otherwise it was cut off.
 *
 * On an error it is for the caller to drop what was stored. The source is destroyed then.
 * @throws {@link DrayageError} `TRUNCATED`, `MALFORMED`, `INCOMPLETE`, `DIGEST_MISMATCH`, `SIZE_MISMATCH`, `UNSUPPORTED`,
 * `LIMIT`; errors of the source, of `ingest` and of `content` as they are; `signal.reason`
 */
export async function readArchive(
  bytes: AsyncIterable<Uint8Array>,
  options: ReadArchiveOptions,
): Promise<Archive> {
  const reader = new TailReader(abortable(bytes, options.signal), ({ length }) => options.onRead?.(length));
  const { entries, unended } = await collect(await uncompressed(reader, options), options);
  options.signal?.throwIfAborted();
  for (const [digest, blob] of options.stored ?? []) {
    // What did come counts.
    if (entries.has(blobName(digest))) continue;
    const named = digestAlgorithm(digest) === 'sha512' ? { sha512: digest } : {};
    entries.set(blobName(digest), {
      ...('diffId' in blob
        ? { kind: 'layer', layer: blob, received: blob.received }
        : { kind: 'stored', received: blob }),
      ...named,
    });
  }
  const contents = new ArchiveContents(entries, options);
  return unended === undefined ? Archive.open(contents, options) : openUnended(contents, unended, options);
}

async function uncompressed(
  reader: TailReader,
  options: ReadArchiveOptions,
): Promise<AsyncIterable<Uint8Array>> {
  try {
    const head = await reader.peek(MAGIC_BYTES);
    if (head.length === 0) throw new DrayageError('TRUNCATED', 'the archive is empty');
    const compression = refuseForeign(detectCompression(head), 'the archive');
    const putAside = (whole: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> =>
      storedFirst(whole, options);
    return CODECS[compression].decompress(reader, 'the archive', { putAside });
  } catch (error) {
    await reader.release();
    throw error;
  }
}

/** Reads the bytes to their end first. A store that cannot spool keeps them until the update ends. */
async function* storedFirst(
  bytes: AsyncIterable<Uint8Array>,
  { content, signal }: ReadArchiveOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (content.spool !== undefined) {
    yield* content.spool(bytes, { signal });
    return;
  }
  const blob = await writeBlob(await content.begin({ signal }), bytes);
  yield* (await content.open(blob, { signal })) as AsyncIterable<Uint8Array>;
}
