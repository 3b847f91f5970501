import type { ContentOptions, ContentSource } from '../content/source.ts';
import { DrayageError, isDrayageError } from '../errors.ts';
import type { ImageConfig } from '../oci/config.ts';
import { configPlatform, parseConfig } from '../oci/config.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { Index } from '../oci/image-index.ts';
import { parseIndex } from '../oci/image-index.ts';
import type { Manifest } from '../oci/manifest.ts';
import { pairLayers, parseManifest } from '../oci/manifest.ts';
import {
  OCI_INDEX,
  OCI_MANIFEST,
  isConfigType,
  isIndexType,
  isManifestType,
  layerCompression,
} from '../oci/media-types.ts';
import type { Platform } from '../oci/platform.ts';
import { formatPlatform, isUnknownPlatform, matchesPlatform } from '../oci/platform.ts';
import { readDocument } from '../stream/document.ts';

/** A document that was read and checked: its descriptor, its bytes and what they say. */
export interface Checked<T> {
  descriptor: Descriptor;
  bytes: Buffer;
  value: T;
}

/** One image for one platform: its documents, and each layer's diffID with its blob. */
export interface Image {
  manifest: Checked<Manifest>;
  config: Checked<ImageConfig>;
  layers: { diffId: Digest; blob: Descriptor }[];
}

/** Options of {@link readImage}. */
export interface ReadImageOptions extends ContentOptions {
  /** The image has to be for this platform. */
  platform?: Platform;
  /** Of several images the one for this platform is taken; the only one is taken whatever it is for. Default: the first. */
  prefer?: Platform;
}

/** How deep indexes may be nested. */
const MAX_DEPTH = 4;
/** How many documents one root may lead to. */
const MAX_DOCUMENTS = 10_000;

/**
 * Reads the documents of one image, each checked against its digest.
 * @param root a manifest, or an index from which the image for `platform` is taken
 * @throws {@link DrayageError} `NOT_FOUND` where there is none for the platform, `MALFORMED`, `UNSUPPORTED` where the root is
 * no image, and whatever `source` says of damaged content
 */
export async function readImage(
  source: ContentSource,
  root: Descriptor,
  options: ReadImageOptions = {},
): Promise<Image> {
  const candidates: Image[] = [];
  const wanted = options.platform ?? options.prefer;
  for await (const image of images(source, root, options)) {
    if (wanted === undefined || matchesPlatform(wanted, configPlatform(image.config.value))) return image;
    candidates.push(image);
  }
  const [only, ...others] = candidates;
  if (options.platform === undefined && only !== undefined && others.length === 0) return only;
  throw noImage(root, candidates, wanted);
}

/** All images that a root leads to and whose manifest is present, in the order of the index. Attestations are passed over. */
export async function* images(
  source: ContentSource,
  root: Descriptor,
  options: ContentOptions = {},
): AsyncGenerator<Image, void, undefined> {
  for await (const node of closure(source, root, options)) {
    if (node.kind === 'manifest' && isImageManifest(node.document))
      yield await readConfig(source, node.document, options);
  }
}

/** A step of a walk through all that a root leads to. */
export type ClosureNode =
  | { kind: 'index'; document: Checked<Index> }
  | { kind: 'manifest'; document: Checked<Manifest> }
  /** A config, a layer, or any other blob that a manifest names; `parent` is that manifest. */
  | { kind: 'blob'; descriptor: Descriptor; parent: Checked<Manifest> }
  /** An index's child whose content is absent: indexes may be sparse. */
  | { kind: 'absent'; descriptor: Descriptor };

/**
 * Walks everything that a root leads to, each digest once, parents before children. Documents are read and checked, blobs
 * only named.
 * @throws {@link DrayageError} `MALFORMED`, `LIMIT`, and whatever `source` says of damaged content
 */
export async function* closure(
  source: ContentSource,
  root: Descriptor,
  options: ContentOptions = {},
): AsyncGenerator<ClosureNode, void, undefined> {
  const seen = new Set<Digest>();
  const queue: { descriptor: Descriptor; depth: number }[] = [{ descriptor: root, depth: 0 }];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const { descriptor, depth } = next;
    if (seen.has(descriptor.digest)) continue;
    seen.add(descriptor.digest);
    assertBounds(descriptor, depth, seen.size);
    if (depth > 0 && (await isAbsent(source, descriptor, options))) {
      yield { kind: 'absent', descriptor };
    } else if (isIndexType(descriptor.mediaType)) {
      const document = await readIndex(source, descriptor, options);
      yield { kind: 'index', document };
      queue.push(...document.value.manifests.map((child) => ({ descriptor: child, depth: depth + 1 })));
    } else if (isManifestType(descriptor.mediaType)) {
      const document = await readManifest(source, descriptor, options);
      yield { kind: 'manifest', document };
      for (const blob of [document.value.config, ...document.value.layers]) {
        if (seen.has(blob.digest)) continue;
        seen.add(blob.digest);
        yield { kind: 'blob', descriptor: blob, parent: document };
      }
    } else {
      throw new DrayageError(
        'UNSUPPORTED',
        `${descriptor.digest} is a ${descriptor.mediaType}, not an image`,
        {
          digest: descriptor.digest,
          actual: descriptor.mediaType,
        },
      );
    }
  }
}

/** Reads and checks a manifest. */
export async function readManifest(
  source: ContentSource,
  descriptor: Descriptor,
  options: ContentOptions = {},
): Promise<Checked<Manifest>> {
  const bytes = await readDocument(await source.open(descriptor, options), descriptor);
  const value = parseManifest(bytes, `manifest ${descriptor.digest}`);
  assertMediaType(descriptor, value.mediaType);
  return { descriptor, bytes, value };
}

/** Reads and checks an index. */
export async function readIndex(
  source: ContentSource,
  descriptor: Descriptor,
  options: ContentOptions = {},
): Promise<Checked<Index>> {
  const bytes = await readDocument(await source.open(descriptor, options), descriptor);
  const value = parseIndex(bytes, `index ${descriptor.digest}`);
  assertMediaType(descriptor, value.mediaType);
  return { descriptor, bytes, value };
}

/** Whether content is not there. What is not there as it should be may still be there damaged: opening it tells, by its error. */
export async function isAbsent(
  source: ContentSource,
  descriptor: Descriptor,
  options: ContentOptions,
): Promise<boolean> {
  if (await source.has(descriptor, options)) return false;
  try {
    (await source.open(descriptor, options)).destroy();
    return false;
  } catch (error) {
    if (isDrayageError(error, 'NOT_FOUND')) return true;
    throw error;
  }
}

/** Whether a manifest is of an image that runs somewhere: not of an attestation, a signature or another artifact. */
export function isImageManifest({ value, descriptor }: Checked<Manifest>): boolean {
  return (
    isConfigType(value.config.mediaType) &&
    value.layers.every((layer) => layerCompression(layer.mediaType) !== undefined) &&
    !(descriptor.platform !== undefined && isUnknownPlatform(descriptor.platform))
  );
}

/** Whether a manifest may be of an image, whatever its descriptor says: it has a layer of one, or none at all. */
export function holdsLayers({ value }: Checked<Manifest>): boolean {
  const { layers } = value;
  return layers.length === 0 || layers.some(({ mediaType }) => layerCompression(mediaType) !== undefined);
}

/** Reads and checks the config that a manifest names. */
export async function readConfig(
  source: ContentSource,
  manifest: Checked<Manifest>,
  options: ContentOptions,
): Promise<Image> {
  const descriptor = manifest.value.config;
  const bytes = await readDocument(await source.open(descriptor, options), descriptor);
  const value = parseConfig(bytes, `config ${descriptor.digest}`);
  return {
    manifest,
    config: { descriptor, bytes, value },
    layers: pairLayers(manifest.value, value.rootfs.diff_ids),
  };
}

function assertMediaType(descriptor: Descriptor, stated: string | undefined): void {
  // Only OCI documents may leave their media type to the descriptor (image-spec, manifest.md#image-manifest-property-descriptions).
  const isOci = descriptor.mediaType === OCI_MANIFEST || descriptor.mediaType === OCI_INDEX;
  if (stated === descriptor.mediaType || (stated === undefined && isOci)) return;
  throw new DrayageError(
    'MALFORMED',
    `${descriptor.digest} calls itself ${stated ?? 'nothing'}, its descriptor ${descriptor.mediaType}`,
    { expected: descriptor.mediaType, actual: stated ?? '', digest: descriptor.digest },
  );
}

function assertBounds(descriptor: Descriptor, depth: number, count: number): void {
  if (depth <= MAX_DEPTH && count <= MAX_DOCUMENTS) return;
  const what =
    depth > MAX_DEPTH ? `nested deeper than ${MAX_DEPTH} indexes` : `more than ${MAX_DOCUMENTS} documents`;
  throw new DrayageError('LIMIT', `image index refused: ${what}`, { digest: descriptor.digest });
}

/** The error for a root that leads to no image, or only to images for other platforms. */
export function noImage(
  root: Descriptor,
  candidates: readonly Image[],
  platform: Platform | undefined,
): DrayageError {
  const found = candidates.map((image) => formatPlatform(configPlatform(image.config.value)));
  if (platform === undefined || found.length === 0) {
    return new DrayageError('UNSUPPORTED', `${root.digest} holds no image`, { digest: root.digest });
  }
  const message = `${root.digest} holds no image for ${formatPlatform(platform)}, only for ${found.join(', ')}`;
  return new DrayageError('NOT_FOUND', message, { digest: root.digest, candidates: found });
}
