import type { ContentOptions, ContentSource } from '../content/source.ts';
import { isDrayageError, isUnusable } from '../errors.ts';
import { walk } from '../image/contents.ts';
import { images } from '../image/image.ts';
import type { Layer } from '../image/layer.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { bareDescriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { LayerMap } from './layer-map.ts';

/** An image of a layout, all of it intact. */
export interface HeldImage {
  /** The index or the manifest that has the ID; the manifest whose config has it. */
  root: Descriptor;
  /** The config digest of the first image that the root leads to. */
  id: Digest;
  /** Of that image, bottom first. */
  layers: Layer[];
}

/** A blob that a layout has in place of another one, or that very blob; intact. */
export interface HeldBlob {
  blob: Descriptor;
  /** Of the layer that it holds, as an image of the layout says; undefined where none does. */
  diffId: Digest | undefined;
}

/** What is looked through. */
export interface HoldingsAccess {
  source: ContentSource;
  roots: readonly Descriptor[];
  layers: LayerMap;
  /** Which of these are there and intact. */
  intact: (descriptors: readonly Descriptor[]) => Promise<ReadonlySet<Digest>>;
}

/**
 * Finds an image by its ID, the digest of its root or that of its config. Every blob of it is hashed; that a layer's blob
 * holds the layer of its diffID is taken from the image itself.
 */
export async function findHeldImage(
  { source, roots, intact }: HoldingsAccess,
  id: Digest,
  options: ContentOptions,
): Promise<HeldImage | undefined> {
  for await (const found of candidates(source, roots, id, options)) {
    const needed = await allBlobs(source, found.root, options);
    if (needed === undefined) continue;
    if ((await intact(needed)).size === needed.length) return found;
  }
  return undefined;
}

/**
 * Which of these blobs need not come again: those that are there, and uncompressed layers that are there in another
 * compression, each with the blob that stands for it.
 */
export async function findHeldBlobs(
  { layers, intact }: HoldingsAccess,
  blobs: readonly Descriptor[],
): Promise<Map<Digest, HeldBlob>> {
  const wanted = blobs.flatMap((descriptor) => {
    // An uncompressed layer is named by its diffID.
    const same = layers.blobs(descriptor.digest).map((blob) => ({ blob, diffId: descriptor.digest }));
    const own = { blob: bareDescriptor(descriptor), diffId: layers.diffId(descriptor.digest) };
    return [own, ...same].map((held) => ({ digest: descriptor.digest, held }));
  });
  const found = await intact([...new Map(wanted.map(({ held: { blob } }) => [blob.digest, blob])).values()]);
  const result = new Map<Digest, HeldBlob>();
  for (const { digest, held } of wanted) {
    if (found.has(held.blob.digest) && !result.has(digest)) result.set(digest, held);
  }
  return result;
}

async function* candidates(
  source: ContentSource,
  roots: readonly Descriptor[],
  id: Digest,
  options: ContentOptions,
): AsyncGenerator<HeldImage, void, undefined> {
  for (const root of roots) {
    try {
      for await (const image of images(source, root, options)) {
        const { manifest, config, layers } = image;
        const found = { id: config.descriptor.digest, layers };
        if (root.digest === id) yield { root, ...found };
        else if (found.id === id || manifest.descriptor.digest === id)
          yield { root: bareDescriptor(manifest.descriptor), ...found };
        else continue;
        break;
      }
    } catch (error) {
      // What is damaged, or no image, is not held.
      if (!isUnusable(error) && !isDrayageError(error, 'LIMIT')) throw error;
    }
  }
}

/** All that a root leads to; undefined where a document is absent. */
async function allBlobs(
  source: ContentSource,
  root: Descriptor,
  options: ContentOptions,
): Promise<Descriptor[] | undefined> {
  const blobs: Descriptor[] = [];
  for await (const node of walk(source, root, options)) {
    if (node.kind === 'absent') return undefined;
    blobs.push(node.kind === 'blob' ? node.descriptor : node.document.descriptor);
  }
  return blobs;
}
