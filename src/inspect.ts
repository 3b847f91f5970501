import type { ContentOptions, StoredImage } from './content.ts';
import type { Image } from './image.ts';
import { images as imagesOf } from './image.ts';
import { uniqueReference } from './naming.ts';
import { configPlatform } from './oci/config.ts';
import type { Digest } from './oci/digest.ts';
import { formatPlatform } from './oci/platform.ts';
import type { Attached } from './listing/attached.ts';
import { attachedTo } from './listing/attached.ts';
import type { ImagePlace } from './selection.ts';
import { selectImages } from './selection.ts';

/** Options of {@link inspect}. */
export interface InspectOptions extends ContentOptions {
  /** The layouts to look into. */
  from: readonly ImagePlace[];
  /** Names or digests; default: all images. */
  images?: readonly string[] | undefined;
}

/** A layer of an {@link InspectedImage}. */
export interface InspectedLayer {
  digest: Digest;
  /** Stored bytes. */
  size: number;
  diffId: Digest;
  mediaType: string;
  /** How many of the images that were looked at have this layer. */
  sharedBy: number;
}

/** One image; of a multi-platform one, each platform's by itself. */
export interface InspectedImage {
  names: string[];
  /** The unique tag that it gets when it is loaded. */
  ref: string;
  /** The config digest. */
  id: Digest;
  /** The root's digest: the manifest's, or the index's. */
  digest: Digest;
  /** `os/architecture[/variant]` */
  platform: string;
  /** RFC 3339 time of the build; null where the config has none. */
  created: string | null;
  annotations: Record<string, string>;
  /** Stored bytes of its layers. */
  size: number;
  layers: InspectedLayer[];
  /** What is attached to it: signatures, SBOMs, attestations of its build. Nothing of it was verified. */
  attached: Attached[];
}

/** What came of {@link inspect}. */
export interface InspectResult {
  images: InspectedImage[];
  /** Stored bytes of all layers: each counted once, and once for every image that has it. */
  bytes: { stored: number; unshared: number };
}

/**
 * Says what is in layouts, reading no layer.
 * @throws {@link DrayageError} `NOT_FOUND`, `MALFORMED`, `DIGEST_MISMATCH` of a document
 */
export async function inspect(options: InspectOptions): Promise<InspectResult> {
  const found: { stored: StoredImage; image: Image; attached: Attached[] }[] = [];
  for (const { place, image: stored } of await selectImages(options.from, options.images)) {
    for await (const image of imagesOf(place, stored.root, options)) {
      const attached = await attachedTo(place, stored.root, image, options);
      found.push({ stored, image, attached });
    }
  }
  const users = new Map<Digest, number>();
  for (const { image } of found) {
    for (const digest of new Set(image.layers.map(({ blob }) => blob.digest))) {
      users.set(digest, (users.get(digest) ?? 0) + 1);
    }
  }
  const images = found.map(({ stored, image, attached }) => ({
    ...describe(stored, image, users),
    attached,
  }));
  const sizes = new Map(images.flatMap(({ layers }) => layers.map(({ digest, size }) => [digest, size])));
  const stored = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  return { images, bytes: { stored, unshared: images.reduce((sum, { size }) => sum + size, 0) } };
}

function describe(
  stored: StoredImage,
  image: Image,
  users: ReadonlyMap<Digest, number>,
): Omit<InspectedImage, 'attached'> {
  const { config, layers } = image;
  return {
    names: stored.names,
    ref: uniqueReference(stored, config.descriptor.digest, stored.names[0]),
    id: config.descriptor.digest,
    digest: stored.root.digest,
    platform: formatPlatform(configPlatform(config.value)),
    created: config.value.created ?? null,
    annotations: stored.annotations,
    size: layers.reduce((sum, { blob }) => sum + blob.size, 0),
    layers: layers.map(({ diffId, blob: { digest, size, mediaType } }) => ({
      digest,
      size,
      diffId,
      mediaType,
      sharedBy: users.get(digest) ?? 1,
    })),
  };
}
