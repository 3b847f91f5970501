import type { IngestedLayer } from '../content.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { bareDescriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { buildManifest } from '../oci/manifest.ts';
import { OCI_CONFIG } from '../oci/media-types.ts';
import type { BlobStore } from './blob-store.ts';
import type { ArchiveContents } from './contents.ts';
import type { GraphEntry, GraphIndex, GraphManifest, GraphNode } from './graph.ts';
import type { ManifestPath } from './graph-walk.ts';
import {
  imageManifests,
  imagePaths,
  isAttestedIn,
  isComplete,
  isKept,
  isWhole,
  putNode,
} from './graph-walk.ts';
import type { ImageParts } from './image-parts.ts';
import { ociParts } from './image-parts.ts';
import { entryReference } from './oci-name.ts';

/** What leads to an image, and its layers under the blobs that it names. */
export interface ImageRoot {
  root: Descriptor;
  config: Descriptor;
  layers: IngestedLayer[];
  /** Manifests about this image that came with it: signatures, SBOMs. Stored, and reached from nowhere else. */
  referrers: Descriptor[];
}

/** What {@link settleRoot} goes by. */
export interface RootContext {
  /** What index.json lists; nothing where there is none. */
  entries: readonly GraphEntry[];
  contents: ArchiveContents;
  blobs: BlobStore;
  /** Keep manifests over uncompressed layers too. */
  keepManifests: boolean;
}

/**
 * Decides which document leads to an image, and stores it with all that it leads to.
 *
 * The archive's own manifest is kept, byte for byte, where its layers are stored as they came; also where something
 * attests to it, then with the layers put back as they came. With it the outermost image index is kept whose images are
 * all there. Otherwise a manifest is written over the layers as they are stored.
 * @param name the name that is settled; manifests which the archive lists under it come first
 */
export async function settleRoot(
  parts: ImageParts,
  name: string | undefined,
  context: RootContext,
): Promise<ImageRoot> {
  for (const path of candidates(parts, name, context)) {
    const kept = keptNode(path, context);
    if (kept !== undefined) return keep(parts, path, kept, context);
  }
  const config = { ...bareDescriptor(parts.config.descriptor), mediaType: OCI_CONFIG };
  const manifest = buildManifest(
    config,
    parts.layers.map(({ blob }) => blob),
  );
  await context.blobs.putDocument(parts.config);
  await context.blobs.putDocument(manifest);
  return { root: manifest.descriptor, config, layers: parts.layers, referrers: [] };
}

/** The archive's manifests over exactly these parts, those of this name first. */
function candidates(
  parts: ImageParts,
  name: string | undefined,
  { entries, blobs }: RootContext,
): ManifestPath[] {
  const paths = [...imagePaths(entries)].filter(
    ({ manifest }) => isOver(manifest, parts) && isComplete(manifest, blobs),
  );
  const named = paths.filter(({ entry }) => entryReference(entry.descriptor) === name);
  return [...new Set([...named, ...paths])];
}

function isOver({ value }: GraphManifest, { config, layers }: ImageParts): boolean {
  return (
    value.config.digest === config.descriptor.digest &&
    value.layers.length === layers.length &&
    value.layers.every((blob, i) => blob.digest === layers[i]?.received.digest)
  );
}

/** The document to keep for a manifest: an index above it, or itself. */
function keptNode({ indexes, manifest }: ManifestPath, context: RootContext): GraphNode | undefined {
  const { blobs, entries, keepManifests } = context;
  const index = indexes.find((above) => isWhole(above, blobs));
  if (index !== undefined && (keepManifests || mayKeepIndex(index, blobs))) return index;
  const { digest } = manifest.descriptor;
  return keepManifests || isKept(manifest, blobs) || referrersOf([digest], entries).length > 0
    ? manifest
    : undefined;
}

/** Whether an index is worth layers that are stored twice: it is lost without them if it binds several documents together. */
function mayKeepIndex(index: GraphIndex, blobs: BlobStore): boolean {
  const manifests = imageManifests(index);
  if (manifests.every((manifest) => isKept(manifest, blobs))) return true;
  return manifests.length > 1 || manifests.some(({ descriptor }) => isAttestedIn(index, descriptor.digest));
}

async function keep(
  parts: ImageParts,
  { manifest }: ManifestPath,
  kept: GraphNode,
  { blobs, contents, entries }: RootContext,
): Promise<ImageRoot> {
  // Images of other platforms, which nobody named, are checked as well.
  for (const { value } of imageManifests(kept)) await ociParts(contents, value);
  await putNode(kept, blobs);
  const referrers = referrersOf([kept.descriptor.digest, manifest.descriptor.digest], entries).filter(
    (referrer) => isComplete(referrer, blobs),
  );
  for (const referrer of referrers) await putNode(referrer, blobs);
  const layers = parts.layers.map((layer, i) => ({
    ...layer,
    blob: bareDescriptor(manifest.value.layers[i] ?? layer.blob),
  }));
  return {
    root: bareDescriptor(kept.descriptor),
    config: bareDescriptor(manifest.value.config),
    layers,
    referrers: referrers.map(({ descriptor }) => bareDescriptor(descriptor)),
  };
}

/** The manifests of index.json whose subject is one of these. */
function referrersOf(digests: Digest[], entries: readonly GraphEntry[]): GraphManifest[] {
  const found = new Map<Digest, GraphManifest>();
  for (const { node } of entries) {
    const subject = node?.value.subject?.digest;
    if (node?.kind === 'manifest' && subject !== undefined && digests.includes(subject)) {
      found.set(node.descriptor.digest, node);
    }
  }
  return [...found.values()];
}
