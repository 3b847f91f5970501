import type { StoredImage } from '../content/image-index.ts';
import { contentsOf } from '../image/contents.ts';
import { readManifest } from '../image/documents.ts';
import { layerOrigins } from '../image/footprint.ts';
import type { Image } from '../image/image.ts';
import type { OmittedPart } from '../image/omitted-layers.ts';
import { omittedParts } from '../image/omitted-layers.ts';
import type { ImageReference } from '../image/reference.ts';
import type { ImageIdentity } from '../listing/unique-reference.ts';
import { identify } from '../listing/unique-reference.ts';
import { configPlatform } from '../oci/config.ts';
import type { Digest } from '../oci/digest.ts';
import { formatPlatform } from '../oci/platform.ts';
import type { Attached } from '../listing/attached.ts';
import { attachedTo } from '../listing/attached.ts';
import type { ImagePlace } from '../content/image-index.ts';
import { selectEachAny } from '../select/select.ts';
import type { SelectedReference, Selection } from '../select/selection.ts';
import { isReferred } from '../select/selection.ts';

/** Options of {@link inspect}. */
export interface InspectOptions extends Selection {
  /** The layouts to inspect. */
  from: readonly ImagePlace[];
}

/** A layer of an {@link InspectedImage}. */
export interface InspectedLayer {
  digest: Digest;
  /** Stored bytes. */
  size: number;
  diffId: Digest;
  mediaType: string;
  /** The instruction that made it; null if the image's history does not say. */
  createdBy: string | null;
  /** How many of the inspected images have this layer. */
  sharedBy: number;
  /** Whether its layout omits it. */
  omitted: boolean;
  /** Whether it is absent although its layout does not omit it: the layout is incomplete. */
  missing: boolean;
  /** Where it is, if it may not be distributed and is absent; empty if its image does not say. Absent for any other layer. */
  nonDistributable?: { urls: string[] } | undefined;
}

/** One image; each platform of a multi-platform image is listed separately. */
export interface InspectedImage extends Omit<ImageIdentity, 'name'> {
  names: string[];
  /** `os/architecture[/variant]` */
  platform: string;
  /** RFC 3339 time of the build; null if the config has none. */
  created: string | null;
  annotations: Record<string, string>;
  /** Stored bytes of its layers, including those that are not here. */
  size: number;
  layers: InspectedLayer[];
  /** Where its omitted layers are. Nobody vouches for it. */
  omitted: OmittedPart[];
  /** The attached documents: signatures, SBOMs, attestations of its build. They are not verified. */
  attached: Attached[];
  /** Where the image is, if this is a reference: it stays in a daemon, and no layer is here. Absent otherwise. */
  reference?: InspectedReference | undefined;
}

/** An image that stays in a daemon. */
export type InspectedReference = Pick<ImageReference, 'daemon' | 'image' | 'diffIds'>;

/** Result of {@link inspect}. */
export interface InspectResult {
  images: InspectedImage[];
  /**
   * Stored bytes of layers. `stored`: each that is here, counted once. `unshared`: counted for every image that has it. `omitted`:
   * omitted layers that none of the inspected places has, each counted once.
   */
  bytes: { stored: number; unshared: number; omitted: number };
}

interface FoundImage {
  stored: StoredImage;
  image: Image;
  omitted: ReadonlySet<Digest>;
  missing: ReadonlySet<Digest>;
  /** The addresses of absent non-distributable layers. */
  elsewhere: ReadonlyMap<Digest, string[]>;
  attached: Attached[];
}

/**
 * Lists what is in layouts. Reads no layer.
 * @throws {@link DrayageError} `NOT_FOUND`, `MALFORMED`, `DIGEST_MISMATCH` of a document
 * @example
 * ```ts
 * import { inspect } from 'drayage';
 *
 * const { images } = await inspect({ from: [layout] });
 * for (const { names, layers } of images) console.log(`${names[0]}: ${layers.length} layers`);
 * ```
 */
export async function inspect(options: InspectOptions): Promise<InspectResult> {
  const found: FoundImage[] = [];
  const references: InspectedImage[] = [];
  for (const selected of await selectEachAny(options.from, options)) {
    if (isReferred(selected)) {
      references.push(await describeReference(selected, options));
      continue;
    }
    const { place, content, image: stored, read } = selected;
    const { annotations } = stored;
    const contents = await contentsOf(content, stored.root, { annotations, signal: options.signal });
    const omitted = new Set(contents.omitted.map(({ digest }) => digest));
    const missing = new Set<Digest>();
    for (const blob of contents.blobs) if (!(await content.has(blob, options))) missing.add(blob.digest);
    const elsewhere = new Map(contents.nonDistributable.map(({ digest, urls = [] }) => [digest, urls]));
    for (const image of read) {
      const attached = await attachedTo(place, contents, image, options);
      found.push({ stored, image, omitted, missing, elsewhere, attached });
    }
  }
  const users = new Map<Digest, number>();
  for (const { image } of found) {
    for (const digest of new Set(image.layers.map(({ blob }) => blob.digest))) {
      users.set(digest, (users.get(digest) ?? 0) + 1);
    }
  }
  const images = [...found.map((one) => describe(one, users)), ...references];
  return { images, bytes: countBytes(images.flatMap(({ layers }) => layers)) };
}

function countBytes(layers: readonly InspectedLayer[]): InspectResult['bytes'] {
  const present = layers.filter(
    ({ omitted, missing, nonDistributable }) => !omitted && !missing && nonDistributable === undefined,
  );
  const sizes = new Map(present.map(({ digest, size }) => [digest, size]));
  const absent = layers.filter(({ digest, omitted }) => omitted && !sizes.has(digest));
  const missed = new Map(absent.map(({ digest, size }) => [digest, size]));
  return {
    stored: sum(sizes.values()),
    unshared: sum(present.map(({ size }) => size)),
    omitted: sum(missed.values()),
  };
}

function sum(sizes: Iterable<number>): number {
  return [...sizes].reduce((total, size) => total + size, 0);
}

function describe(
  { stored, image, omitted, missing, elsewhere, attached }: FoundImage,
  users: ReadonlyMap<Digest, number>,
): InspectedImage {
  const { config, layers } = image;
  const origins = layerOrigins(image);
  const blobs = new Map(layers.map(({ blob }) => [blob.digest, blob]));
  const { name: _, ...identity } = identify(stored, config.descriptor.digest);
  return {
    names: stored.names,
    ...identity,
    platform: formatPlatform(configPlatform(config.value)),
    created: config.value.created ?? null,
    annotations: stored.annotations,
    size: sum(layers.map(({ blob }) => blob.size)),
    layers: layers.map(({ diffId, blob: { digest, size, mediaType } }, i) => {
      const urls = elsewhere.get(digest);
      return {
        digest,
        size,
        diffId,
        mediaType,
        createdBy: origins[i]?.createdBy ?? null,
        sharedBy: users.get(digest) ?? 1,
        omitted: omitted.has(digest),
        missing: missing.has(digest),
        ...(urls && { nonDistributable: { urls } }),
      };
    }),
    omitted: omittedParts([
      { ...stored, omitted: [...blobs.values()].filter(({ digest }) => omitted.has(digest)) },
    ]),
    attached,
  };
}

async function describeReference(
  { place, content, image: stored, root, reference }: SelectedReference,
  { signal }: InspectOptions,
): Promise<InspectedImage> {
  const contents = await contentsOf(content, root, { signal });
  const manifest = await readManifest(content, root, { signal });
  const { name: _, ...identity } = identify(stored, reference.id);
  const { daemon, image, diffIds, platform, created } = reference;
  return {
    names: stored.names,
    ...identity,
    platform: formatPlatform(platform),
    created: created ?? null,
    annotations: stored.annotations,
    size: 0,
    layers: [],
    omitted: [],
    attached: await attachedTo(place, contents, { manifest }, { signal }),
    reference: { daemon, image, diffIds },
  };
}
