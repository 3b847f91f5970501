import type { ContentOptions, ContentSource } from '../content/source.ts';
import { DrayageError, isDrayageError, isMismatch } from '../errors.ts';
import { walk } from '../image/contents.ts';
import { isImageManifest } from '../image/documents.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { Manifest } from '../oci/manifest.ts';
import { isNonDistributable } from '../oci/media-types.ts';
import { omittedBlobs, omittedLayers } from '../image/omitted-layers.ts';

/** What images need, without their omitted layers. */
export interface Reached {
  /** Must be present; otherwise the images are incomplete. */
  required: Map<Digest, Descriptor>;
  /** May be absent: non-distributable layers. */
  optional: Map<Digest, Descriptor>;
}

/**
 * Walks what an image leads to and determines what it needs. Checks documents on the way.
 * @throws {@link DrayageError} `INCOMPLETE` if a document is missing or damaged; `MALFORMED`, `UNSUPPORTED`, `LIMIT`
 */
export async function reach(
  source: ContentSource,
  root: Descriptor,
  annotations: Record<string, string>,
  reached: Reached,
  options: ContentOptions,
): Promise<void> {
  const omitted = omittedLayers({ ...root.annotations, ...annotations }, root.digest);
  try {
    for await (const node of walk(source, root, options)) {
      if (node.kind === 'index' || node.kind === 'manifest') {
        reached.required.set(node.document.descriptor.digest, node.document.descriptor);
      }
      if (node.kind === 'manifest')
        needBlobs(node.document.value, isImageManifest(node.document) ? omitted : 0, reached);
    }
  } catch (error) {
    throw isMismatch(error) || isDrayageError(error, 'NOT_FOUND') ? incomplete(root, error) : error;
  }
}

/** The error for an image that lacks content. */
export function incomplete(root: { digest: Digest }, cause: DrayageError): DrayageError {
  return new DrayageError('INCOMPLETE', `image ${root.digest} is incomplete: ${cause.message}`, {
    ...cause.facts,
    cause,
  });
}

function needBlobs({ config, layers }: Manifest, omitted: number, { required, optional }: Reached): void {
  required.set(config.digest, config);
  const leftOut = omittedBlobs(layers, omitted);
  for (const layer of layers) {
    if (leftOut.has(layer.digest)) continue;
    const isElsewhere = isNonDistributable(layer.mediaType) && (layer.urls ?? []).length > 0;
    (isElsewhere ? optional : required).set(layer.digest, layer);
  }
}
