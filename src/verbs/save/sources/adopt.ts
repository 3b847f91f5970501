import type { ArrivedImage } from '../../../content/arrived-image.ts';
import type { StoredImage } from '../../../content/image-index.ts';
import { nameOf, referenceTo } from '../../../content/image-index.ts';
import type { SavedLayer } from '../../../content/layer.ts';
import { layersOfAll, savedLayer } from '../../../content/layer.ts';
import type { ContentOptions } from '../../../content/source.ts';
import type { ImageStore, StoreTransaction } from '../../../content/store.ts';
import { annotatePart, originalIndexes } from '../../../image/annotations.ts';
import type { ImageContents } from '../../../image/contents.ts';
import { presentPart } from '../../../image/present-part.ts';
import type { Layer } from '../../../image/layer.ts';
import { prove, proveAll } from '../../../image/prove.ts';
import { referrersOf } from '../../../image/referrers.ts';
import { startLayers } from '../../../progress.ts';
import { select } from '../../../select/select.ts';
import type { SelectedImage, Selection } from '../../../select/selection.ts';
import { blobsOfLayers } from '../../../select/selection.ts';
import { once } from '../../../stream/tap.ts';
import type { BuiltImage } from './built.ts';
import { findNamed } from './named-images.ts';

/** Options of {@link adoptImages}. */
export interface AdoptOptions extends Selection {
  /** Images that a build made. */
  built?: readonly BuiltImage[] | undefined;
  /** Also proves that each blob contains the layer that the config states. */
  prove?: boolean | undefined;
}

/**
 * Takes images that a builder wrote into the store as they are: nothing is copied. Their blobs are hashed when the change of
 * the store ends. Images that nothing names stay as they are, with a note.
 * @returns the named images, with all that the build attached to them, and the others
 * @throws {@link DrayageError} `USAGE` if no image is named; `NOT_FOUND`, `AMBIGUOUS`, `POLICY`
 */
export async function adoptImages(
  store: ImageStore,
  content: StoreTransaction,
  options: AdoptOptions,
): Promise<{ adopted: ArrivedImage[]; others: StoredImage[] }> {
  const { onProgress, signal } = options;
  const listed = await store.images({ onProgress, signal });
  const named = await findNamed(store, listed, options);
  const selected = await select([store], { ...options, images: [...named.keys()] });
  const adopted: ArrivedImage[] = [];
  const tell = startLayers(onProgress, selected.length, selected.map(blobsOfLayers));
  onProgress?.({ kind: 'phase', phase: 'verifying' });
  for (const one of selected) {
    onProgress?.({ kind: 'image', name: referenceTo(one.image) });
    const image = await adoptOne(one, content, options);
    for (const layer of image.layers) tell(layer, layer.status);
    const given = options.as === undefined ? (named.get(one.image.root.digest) ?? []) : [];
    adopted.push({ ...image, names: [...new Set([...image.names, ...given])] });
  }
  const others = listed.filter(({ root }) => !named.has(root.digest));
  if (others.length > 0) onProgress?.({ kind: 'note', message: notAdopted(others) });
  return { adopted, others };
}

/** How many images a note names. */
const NAMED = 5;

function notAdopted(others: readonly StoredImage[]): string {
  const more = others.length > NAMED ? ` and ${others.length - NAMED} more` : '';
  const names = others.slice(0, NAMED).map(nameOf).join(', ');
  return `${names}${more}: not adopted, because nothing names them; they keep the origin that they state`;
}

async function adoptOne(
  { place, content: source, image, root, read }: SelectedImage,
  content: StoreTransaction,
  { prove: proves, signal }: AdoptOptions,
): Promise<ArrivedImage> {
  const part = await presentPart(source, root, { annotations: image.annotations, signal });
  for (const { descriptor, bytes } of part.written) await content.put(descriptor, once(bytes), { signal });
  const referrers = await referrersOf(source, place, part.contents, { signal });
  return {
    ...image,
    annotations: { ...annotatePart(part.root.digest, root.digest), ...image.annotations },
    ...originalIndexes(part.root.digest, root.digest),
    root: part.root,
    id: (part.contents.images[0] ?? read[0].manifest).value.config.digest,
    layers: await describeLayers(layersOfAll(read.map((one) => one.layers)), part.contents, content, {
      proves,
      signal,
    }),
    isWritten: false,
    referrers: referrers.map(({ descriptor }) => descriptor),
  };
}

/** The layers and their status. Without a proof, nobody knows their uncompressed size. */
async function describeLayers(
  layers: readonly Layer[],
  { blobs, omitted }: ImageContents,
  content: StoreTransaction,
  { proves = false, signal }: ContentOptions & { proves: boolean | undefined },
): Promise<SavedLayer[]> {
  const [present, absent] = [blobs, omitted].map((list) => new Set(list.map(({ digest }) => digest)));
  const held = layers.filter(({ blob }) => present?.has(blob.digest));
  if (proves) await proveAll(content, held, { signal });
  const described: SavedLayer[] = [];
  for (const { blob, diffId } of layers) {
    const isHeld = present?.has(blob.digest) === true;
    if (!isHeld && absent?.has(blob.digest) !== true) continue;
    const status = isHeld ? 'reused' : 'omitted';
    const uncompressedSize = isHeld && proves ? await prove(content, { blob, diffId }, { signal }) : null;
    described.push(savedLayer(blob, { diffId, uncompressedSize, status }));
  }
  return described;
}
