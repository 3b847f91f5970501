import type { ContentOptions, ContentSource } from '../content/source.ts';
import { DrayageError } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Index } from '../oci/image-index.ts';
import { parseIndex } from '../oci/image-index.ts';
import type { Manifest, ParsedDocument } from '../oci/manifest.ts';
import { parseManifest } from '../oci/manifest.ts';
import {
  OCI_INDEX,
  OCI_MANIFEST,
  isConfigType,
  isIndexType,
  isLayerType,
  isManifestType,
} from '../oci/media-types.ts';
import { isUnknownPlatform } from '../oci/platform.ts';
import { readDocument } from '../stream/document.ts';

/** A document of an image. */
export type ImageDocument = ParsedDocument<Manifest> | ParsedDocument<Index>;

/** Reads and checks a manifest. */
export async function readManifest(
  source: ContentSource,
  descriptor: Descriptor,
  options: ContentOptions = {},
): Promise<ParsedDocument<Manifest>> {
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
): Promise<ParsedDocument<Index>> {
  const bytes = await readDocument(await source.open(descriptor, options), descriptor);
  const value = parseIndex(bytes, `index ${descriptor.digest}`);
  assertMediaType(descriptor, value.mediaType);
  return { descriptor, bytes, value };
}

/**
 * Reads and checks a manifest or an index, as the descriptor says.
 * @throws {@link DrayageError} `UNSUPPORTED` if it names neither; `MALFORMED`; errors of `source` for damaged content
 */
export async function readManifestOrIndex(
  source: ContentSource,
  descriptor: Descriptor,
  options: ContentOptions = {},
): Promise<ImageDocument> {
  const { mediaType, digest } = descriptor;
  if (isIndexType(mediaType)) return readIndex(source, descriptor, options);
  if (isManifestType(mediaType)) return readManifest(source, descriptor, options);
  const message = `${digest} is a ${mediaType}, not an image`;
  throw new DrayageError('UNSUPPORTED', message, { digest, actual: mediaType });
}

/** The `subject` of a manifest or an index; undefined if it has none. */
export async function subjectOf(
  source: ContentSource,
  root: Descriptor,
  options: ContentOptions = {},
): Promise<Descriptor | undefined> {
  return (await readManifestOrIndex(source, root, options)).value.subject;
}

/** Whether a document is an index. */
export function isIndexDocument(document: ImageDocument): document is ParsedDocument<Index> {
  return isIndexType(document.descriptor.mediaType);
}

/** Whether a manifest is of a runnable image, and not of an attestation, a signature or another artifact. */
export function isImageManifest(manifest: ParsedDocument<Manifest>): boolean {
  return isOfImage(manifest) && !isCalledAttestation(manifest);
}

/**
 * The manifests whose configs may state what their layers are: images, also those that an index lists for unknown/unknown, as
 * attestations are listed, and those whose config has another media type: programs that run images ignore it. Whoever writes
 * an index or a manifest must not keep layers from being proven.
 */
export function layeredManifests(documents: readonly ImageDocument[]): ParsedDocument<Manifest>[] {
  return documents.filter(
    (document): document is ParsedDocument<Manifest> =>
      !isIndexDocument(document) &&
      holdsLayers(document) &&
      (document.value.layers.length > 0 || isImageManifest(document)),
  );
}

function isOfImage(manifest: ParsedDocument<Manifest>): boolean {
  return isConfigType(manifest.value.config.mediaType) && holdsLayers(manifest);
}

function isCalledAttestation({ descriptor: { platform } }: ParsedDocument<Manifest>): boolean {
  return platform !== undefined && isUnknownPlatform(platform);
}

/**
 * Whether a manifest may be of an image, whatever its descriptor says: it has an image's layer, or no layer at all. Programs
 * that run images ignore layers of other media types.
 */
export function holdsLayers({ value }: ParsedDocument<Manifest>): boolean {
  const { layers } = value;
  return layers.length === 0 || layers.some(({ mediaType }) => isLayerType(mediaType));
}

function assertMediaType(descriptor: Descriptor, stated: string | undefined): void {
  // Only OCI documents may state their media type in the descriptor alone (image-spec,
  // manifest.md#image-manifest-property-descriptions).
  const isOci = descriptor.mediaType === OCI_MANIFEST || descriptor.mediaType === OCI_INDEX;
  if (stated === descriptor.mediaType || (stated === undefined && isOci)) return;
  throw new DrayageError(
    'MALFORMED',
    `${descriptor.digest} states the media type ${stated ?? 'none'}, its descriptor ${descriptor.mediaType}`,
    { expected: descriptor.mediaType, actual: stated ?? '', digest: descriptor.digest },
  );
}
