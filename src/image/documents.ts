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
  isManifestType,
  layerCompression,
} from '../oci/media-types.ts';
import { isUnknownPlatform } from '../oci/platform.ts';
import { readDocument } from '../stream/document.ts';

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

/** What a manifest or an index refers to by `subject`; undefined where it refers to nothing, or the root is neither. */
export async function subjectOf(
  source: ContentSource,
  root: Descriptor,
  options: ContentOptions = {},
): Promise<Descriptor | undefined> {
  if (isIndexType(root.mediaType)) return (await readIndex(source, root, options)).value.subject;
  if (isManifestType(root.mediaType)) return (await readManifest(source, root, options)).value.subject;
  return undefined;
}

/** Whether a manifest is of an image that runs somewhere: not of an attestation, a signature or another artifact. */
export function isImageManifest({ value, descriptor }: ParsedDocument<Manifest>): boolean {
  return (
    isConfigType(value.config.mediaType) &&
    value.layers.every((layer) => layerCompression(layer.mediaType) !== undefined) &&
    !(descriptor.platform !== undefined && isUnknownPlatform(descriptor.platform))
  );
}

/** Whether a manifest may be of an image, whatever its descriptor says: it has a layer of one, or none at all. */
export function holdsLayers({ value }: ParsedDocument<Manifest>): boolean {
  const { layers } = value;
  return layers.length === 0 || layers.some(({ mediaType }) => layerCompression(mediaType) !== undefined);
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
