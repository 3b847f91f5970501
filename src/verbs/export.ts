import type { Readable } from 'node:stream';
import type { PlacedContents } from '../archive/write/oci.ts';
import { writeOciArchives } from '../archive/write/oci.ts';
import { layersOf, writeDockerArchive } from '../archive/write/docker.ts';
import { chainSources } from '../content/source.ts';
import { contentsOf } from '../image/contents.ts';
import { referrersOf } from '../image/referrers.ts';
import type { ImagePlace } from '../content/image-index.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { pace, startLayers } from '../progress.ts';
import { presentImage } from '../select/present.ts';
import { select } from '../select/select.ts';
import type { Selection } from '../select/selection.ts';
import type { OpenBase } from '../image/open-base.ts';
import { omittedContent } from '../image/omitted-content.ts';

/** Options of {@link exportArchive}. */
export interface ExportOptions extends Selection {
  /** The layouts to read. Layers that one omits are read from the others. */
  from: readonly ImagePlace[];
  /** Opens the base of an image whose first layers all of the layouts omit. Default: that is an error. */
  openBase?: OpenBase | undefined;
  /**
   * `docker`: the form of `docker save` up to version 24, which every daemon and tool reads: manifest.json over
   * uncompressed layers; of a multi-platform image the first one. `oci`: an OCI layout in a tar, with all blobs and
   * digests as they are, and with the images' referrers; of an index only what is present. Default `docker`.
   */
  format?: 'docker' | 'oci' | undefined;
}

/**
 * Writes images as one archive. Each layer's digest and size are checked before its first byte is written, and, if it
 * is decompressed, its diffID before its end. After a failure the stream never ends cleanly.
 * @throws {@link DrayageError} `NOT_FOUND`, `AMBIGUOUS`, `POLICY`; from the stream also `DIGEST_MISMATCH`,
 * `SIZE_MISMATCH`
 * @example
 * ```ts
 * import { createWriteStream } from 'node:fs';
 * import { pipeline } from 'node:stream/promises';
 * import { exportArchive } from 'drayage';
 *
 * await pipeline(await exportArchive({ from: [layout], format: 'oci' }), createWriteStream(file));
 * ```
 */
export async function exportArchive(options: ExportOptions): Promise<Readable> {
  const { from, signal, openBase } = options;
  const { onProgress, flush } = pace(options.onProgress ?? (() => {}));
  const images = [];
  const everywhere = chainSources(from);
  const outgoing: PlacedContents[] = [];
  const isOci = options.format === 'oci';
  for (const selected of await select(from, options)) {
    const held = chainSources([selected.content, everywhere]);
    const placed = isOci ? await presentImage(selected, held, { signal }) : selected;
    const { place, content, image: stored, root, read } = placed;
    const whole = omittedContent(placed, { signal, onProgress, openBase, others: [everywhere] });
    images.push({ image: read[0], names: stored.names, source: whole });
    if (!isOci) continue;
    const contents = await contentsOf(whole, root, { signal });
    outgoing.push({ contents, names: stored.names, source: whole });
    for (const referrer of await referrersOf(content, place, contents, { signal }))
      outgoing.push({ contents: referrer.contents, names: [], source: content });
  }
  const blobs = isOci
    ? outgoing.flatMap(({ contents }) => contents.blobs)
    : layersOf(images).map(({ blob }) => blob);
  const tell = startLayers(onProgress, images.length, [blobs]);
  onProgress({ kind: 'phase', phase: 'sending' });
  const writing = {
    signal,
    onBytes: (bytes: number): void => onProgress({ kind: 'bytes', direction: 'sent', bytes }),
    onBlob: (blob: Descriptor): void => tell(blob, 'written'),
  };
  const archive = isOci
    ? writeOciArchives(outgoing, writing)
    : writeDockerArchive(images, everywhere, writing);
  return archive.once('close', flush);
}
