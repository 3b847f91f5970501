import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import type { BlobStore } from './blob-store.ts';
import type { GraphEntry, GraphIndex, GraphManifest, GraphNode } from './graph.ts';
import { isAttestation, isImage } from './graph.ts';

/** A manifest, and the indexes that led to it, outermost first. */
export interface ManifestPath {
  entry: GraphEntry;
  indexes: GraphIndex[];
  manifest: GraphManifest;
}

/** All manifests of images, in the order of index.json; one that is reached in several ways comes up several times. */
export function* imagePaths(entries: readonly GraphEntry[]): Generator<ManifestPath, void, undefined> {
  for (const entry of entries) yield* pathsFrom(entry, entry.node, []);
}

function* pathsFrom(
  entry: GraphEntry,
  node: GraphNode | undefined,
  indexes: GraphIndex[],
): Generator<ManifestPath, void, undefined> {
  if (node?.kind === 'manifest' && isImage(node)) yield { entry, indexes, manifest: node };
  if (node?.kind !== 'index') return;
  for (const child of node.children) {
    if (!isAttestation(child.descriptor)) yield* pathsFrom(entry, child.node, [...indexes, node]);
  }
}

/** The manifests under a node that are of images, attestations left aside. */
export function imageManifests(node: GraphNode): GraphManifest[] {
  return [...pathsFrom({ descriptor: node.descriptor, node }, node, [])].map(({ manifest }) => manifest);
}

/** Whether all content of a manifest came with the archive. */
export function isComplete({ value }: GraphManifest, blobs: BlobStore): boolean {
  return [value.config, ...value.layers].every((blob) => blobs.availability(blob) !== 'absent');
}

/** Whether a manifest can be kept without storing any of its layers a second time. */
export function isKept({ value }: GraphManifest, blobs: BlobStore): boolean {
  return value.layers.every((blob) => blobs.availability(blob) === 'kept');
}

/** The manifest that an index's child is about, where it is an attestation that says so. */
export function attestedDigest({ annotations }: Descriptor): string | undefined {
  return annotations?.['vnd.docker.reference.digest'];
}

/** Whether an index has a child that attests to this manifest. */
export function isAttestedIn(index: GraphIndex, digest: Digest): boolean {
  return index.value.manifests.some((child) => attestedDigest(child) === digest);
}

/**
 * Stores a document and everything of it that is there, below before above.
 * @param done documents that need not be stored again; what is stored is added
 */
export async function putNode(node: GraphNode, blobs: BlobStore, done: Set<GraphNode>): Promise<void> {
  if (done.has(node)) return;
  if (node.kind === 'manifest') {
    for (const blob of [node.value.config, ...node.value.layers]) await blobs.put(blob);
  } else {
    for (const { node: child } of node.children) {
      if (child === undefined || done.has(child)) continue;
      if (child.kind === 'index' || isComplete(child, blobs)) await putNode(child, blobs, done);
    }
  }
  await blobs.putDocument(node);
  done.add(node);
}
