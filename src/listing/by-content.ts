import type { Descriptor } from '../oci/descriptor.ts';
import type { LayoutEntries } from '../oci/image-index.ts';
import { contentNamed } from '../oci/image-index.ts';
import { isUnknownPlatform } from '../oci/platform.ts';
import { withoutCosign } from './cosign-entry.ts';
import type { EntryKind } from './kinds.ts';

/**
 * Entries as their documents say: whoever writes an index.json cannot hide an image behind the type of an artifact, an unknown
 * platform, the name of a signature, or a property that cannot be read. Entries of other documents stay as they are.
 */
export async function entriesByContent(
  { manifests, unread }: LayoutEntries,
  kindOf: (root: Descriptor) => Promise<EntryKind>,
): Promise<LayoutEntries> {
  const result: LayoutEntries = { manifests: [], unread: [] };
  for (const entry of manifests) {
    const plain = plainEntry(entry);
    const isImage = plain !== undefined && (await kindOf(plain)).kind === 'image';
    result.manifests.push(isImage ? plain : entry);
  }
  for (const entry of unread) {
    const content = contentNamed(entry);
    if (content === undefined) result.unread.push(entry);
    else result.manifests.push(content);
  }
  return result;
}

/** An entry without what may hide it; undefined if it has nothing of that. */
function plainEntry(entry: Descriptor): Descriptor | undefined {
  const { artifactType, platform, annotations = {}, ...content } = entry;
  const kept = withoutCosign(annotations);
  const isUnknown = platform !== undefined && isUnknownPlatform(platform);
  const isWhole = Object.keys(kept).length === Object.keys(annotations).length;
  if (artifactType === undefined && !isUnknown && isWhole) return undefined;
  return { ...content, ...(platform !== undefined && !isUnknown && { platform }), annotations: kept };
}
