import { writeDocuments } from '../../archive/write/layout-entries.ts';
import { writeOciArchive } from '../../archive/write/oci.ts';
import type { ContentOptions } from '../../content/source.ts';
import { isDrayageError } from '../../errors.ts';
import { walk, contentsOf } from '../../image/contents.ts';
import { buildConfig, buildManifest } from '../../oci/manifest.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { bareDescriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { digestHex } from '../../oci/digest.ts';
import { buildIndex } from '../../oci/image-index.ts';
import type { Document } from '../../oci/manifest.ts';
import { cleanupSignal } from '../connect/cleanups.ts';
import type { DaemonImage } from '../images/description.ts';
import type { Images } from '../images/images.ts';
import type { ImageToLoad, Store, Held, StoreAccess } from './store.ts';
import { withSha256Blobs } from './sha256.ts';
import { layerFlaw, heldNothing } from './store.ts';

/** The repository of the names under which images are sent, until they are verified. */
const STAGING = 'drayage-load';

/**
 * The containerd image store. An image's ID is the digest of its manifest or index, and the store keeps the documents
 * and blobs as they were sent. It reports success for images whose blobs are missing, and moves their names. So images
 * are sent under a separate name, and their completeness is checked in every available way.
 */
export const containerdStore: Store<'containerd'> = {
  kind: 'containerd',
  title: 'docker with the containerd image store',
  isOf: async (signs) => (await signs.info()).driver === 'io.containerd.snapshotter.v1',
  spools: false,
  hasIdentity: true,
  namesByConfig: false,
  choosesSince: '1.48',
  platforms: ({ manifests }) =>
    manifests?.flatMap(({ digest, platform, available }) =>
      available && platform !== undefined ? [{ platform, digest }] : [],
    ),
  prepare: withSha256Blobs,
  // The name follows from the content, so that the next load of the image takes over what a killed one left.
  stagedName: ({ root }, anchor) => anchor && `${STAGING}:${digestHex(root.digest).slice(0, 128)}`,
  probe: async (access, toLoad, _name, options) => probeBlobs(access, toLoad, options),
  archive: ({ root, source }, { names, omit }, options) =>
    writeOciArchive(root, names, source, { ...options, omit, receiverChecks: true }),
  idOf: ({ root }) => root.digest,
  flaw: async (images, toLoad, options) => {
    const { root, image } = toLoad;
    const found = await images.find(root.digest, { ...options, manifests: true });
    if (found === undefined) return 'it is not there';
    if (found.id !== root.digest) return `it is ${found.id}, not ${root.digest}`;
    return (
      (await contentFlaw(toLoad, found, options)) ??
      layerFlaw(image, found.diffIds) ??
      // Of each manifest, the daemon has said whether its content is there.
      (found.manifests === undefined ? await listFlaw(images, root.digest, options) : undefined)
    );
  },
};

/** All content of every manifest must be there, also for other platforms and of attestations. */
async function contentFlaw(
  { root, source }: ImageToLoad,
  { manifests }: DaemonImage,
  options: ContentOptions,
): Promise<string | undefined> {
  if (manifests === undefined) return undefined;
  const available = new Set<Digest>();
  for (const manifest of manifests) if (manifest.available) available.add(manifest.digest);
  for await (const node of walk(source, root, options)) {
    if (node.kind !== 'manifest' || available.has(node.document.descriptor.digest)) continue;
    return `content of it is missing (of ${node.document.descriptor.digest})`;
  }
  return undefined;
}

/** Docker 26 inspects a broken image without an error, but does not list it. */
async function listFlaw(images: Images, id: string, options: ContentOptions): Promise<string | undefined> {
  const listed = await images.list(options);
  return listed.some((image) => image.id === id) ? undefined : 'it is not among the images of the daemon';
}

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
async function probeBlobs(
  { images, send }: StoreAccess,
  toLoad: ImageToLoad,
  options: ContentOptions,
): Promise<Held> {
  const { blobs } = await contentsOf(toLoad.source, toLoad.root, options);
  const probe = buildProbe(blobs);
  const release = async (): Promise<void> =>
    images.remove(probe.root.digest, { signal: cleanupSignal() }).catch(() => undefined);
  try {
    await send(writeDocuments(probe.root, probe.documents, options));
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
  const config = buildConfig({ ...NOWHERE, rootfs: { type: 'layers', diff_ids: [] } });
  const manifests = blobs.map((blob) => buildManifest(config.descriptor, [bareDescriptor(blob)]));
  const children = manifests.map(({ descriptor }) => ({ ...descriptor, platform: NOWHERE }));
  const index = buildIndex(children);
  return {
    root: index.descriptor,
    documents: [index, config, ...manifests],
    blobOf: new Map(manifests.map(({ descriptor }, i) => [descriptor.digest, blobs[i]!.digest])),
  };
}
