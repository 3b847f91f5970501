import type { Readable } from 'node:stream';
import { writeTar } from '../../archive/tar/write.ts';
import type { ContentOptions } from '../../content/source.ts';
import { isDrayageError } from '../../errors.ts';
import { contentsOf } from '../../image/contents.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { bareDescriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Document } from '../../oci/manifest.ts';
import { buildManifest, toDocument } from '../../oci/manifest.ts';
import { OCI_CONFIG } from '../../oci/media-types.ts';
import { cleanupSignal } from '../connect/cleanups.ts';
import type { ImageToLoad, Held, StoreAccess } from './store.ts';
import { heldNothing } from './store.ts';
import { documentEntries, layoutEntries } from '../../archive/write/layout-entries.ts';
import { buildIndex } from '../../oci/image-index.ts';

/** A platform that nothing runs on: such images are not unpacked. */
const NOWHERE = { os: 'unknown', architecture: 'unknown' };

/** An unnamed image with one manifest for each requested blob, but without those blobs. */
interface Probe {
  root: Descriptor;
  /** Everything in the archive. */
  documents: Document[];
  /** The blob that a manifest stands for. */
  blobOf: Map<Digest, Digest>;
}

/**
 * Asks a containerd store which blobs of an image it holds. It loads manifests that name one blob each; the store says
 * for which of them all content is available. Only exactly the same blob counts: the same layer in another compression
 * is another blob. Until it is released, the loaded image protects the blobs from garbage collection.
 *
 * Docker before API 1.48 does not say: it gets everything.
 */
export async function probeBlobs(
  { images, send }: StoreAccess,
  toLoad: ImageToLoad,
  options: ContentOptions,
): Promise<Held> {
  const { blobs } = await contentsOf(toLoad.source, toLoad.root, options);
  const probe = buildProbe(blobs);
  const release = async (): Promise<void> =>
    images.remove(probe.root.digest, { signal: cleanupSignal() }).catch(() => undefined);
  try {
    await send(probeArchive(probe, options));
    const found = await images.find(probe.root.digest, { ...options, manifests: true });
    const omit = new Set<Digest>();
    for (const { digest, available } of found?.manifests ?? []) {
      const blob = probe.blobOf.get(digest);
      if (available && blob !== undefined) omit.add(blob);
    }
    const layers = toLoad.image.layers.map(({ blob }) => omit.has(blob.digest));
    return { layers, omit, loaded: false, release };
  } catch (error) {
    await release();
    if (isDrayageError(error, 'DAEMON')) return heldNothing(toLoad);
    throw error;
  }
}

function buildProbe(blobs: readonly Descriptor[]): Probe {
  const config = toDocument(
    OCI_CONFIG,
    JSON.stringify({ ...NOWHERE, rootfs: { type: 'layers', diff_ids: [] } }),
  );
  const manifests = blobs.map((blob) => buildManifest(config.descriptor, [bareDescriptor(blob)]));
  const children = manifests.map(({ descriptor }) => ({ ...descriptor, platform: NOWHERE }));
  const index = buildIndex(children);
  return {
    root: index.descriptor,
    documents: [index, config, ...manifests],
    blobOf: new Map(manifests.map(({ descriptor }, i) => [descriptor.digest, blobs[i]!.digest])),
  };
}

function probeArchive({ root, documents }: Probe, { signal }: ContentOptions): Readable {
  return writeTar(
    async function* () {
      yield* layoutEntries([root]);
      yield* documentEntries(documents);
    },
    { signal },
  );
}
