import { ORIGINAL_INDEX } from '../../image/annotations.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { bareDescriptor } from '../../oci/descriptor.ts';
import { toDocument } from '../../oci/manifest.ts';
import type { GraphEntry, GraphIndex, GraphManifest } from './graph.ts';
import { isAttestation } from './graph.ts';
import { attestedDigest } from './graph-walk.ts';

/**
 * An index with only those children whose content is there, so that nothing which it names is absent: programs that copy a
 * whole index fail at the first child that is. Its digest is another one then; the original's is kept as an annotation.
 * @returns undefined where no image is left
 */
export function pruneIndex(
  index: GraphIndex,
  isThere: (manifest: GraphManifest) => boolean,
): GraphIndex | undefined {
  const images = index.children.flatMap((child) => prunedImage(child, isThere));
  if (images.length === 0) return undefined;
  const kept = new Set<string>(images.map(({ descriptor }) => descriptor.digest));
  const children = index.children.flatMap((child): GraphEntry[] => {
    if (!isAttestation(child.descriptor)) return prunedImage(child, isThere);
    const about = attestedDigest(child.descriptor);
    const isKept = child.node?.kind === 'manifest' && isThere(child.node) && (!about || kept.has(about));
    return isKept ? [child] : [];
  });
  return indexOf(index, children);
}

function prunedImage(child: GraphEntry, isThere: (manifest: GraphManifest) => boolean): GraphEntry[] {
  const { descriptor, node } = child;
  if (node === undefined || isAttestation(descriptor)) return [];
  if (node.kind === 'manifest') return isThere(node) ? [child] : [];
  const pruned = pruneIndex(node, isThere);
  if (pruned === undefined) return [];
  return [{ descriptor: { ...descriptor, ...bareDescriptor(pruned.descriptor) }, node: pruned }];
}

/** The same index where all children are left. */
function indexOf(index: GraphIndex, children: GraphEntry[]): GraphIndex {
  const same = (child: GraphEntry, i: number): boolean =>
    child.descriptor.digest === index.value.manifests[i]?.digest;
  if (children.length === index.value.manifests.length && children.every(same)) return index;
  const manifests: Descriptor[] = children.map(({ descriptor }) => descriptor);
  const annotations = { ...index.value.annotations, [ORIGINAL_INDEX]: index.descriptor.digest };
  const value = { ...index.value, manifests, annotations };
  return { ...index, ...toDocument(index.descriptor.mediaType, JSON.stringify(value)), value, children };
}
