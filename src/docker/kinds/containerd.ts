import { writeOciArchive } from '../../archive/write/oci.ts';
import type { ContentOptions } from '../../content/source.ts';
import { walk } from '../../image/contents.ts';
import type { Digest } from '../../oci/digest.ts';
import { digestHex } from '../../oci/digest.ts';
import { probeBlobs } from './containerd-probe.ts';
import type { DaemonImage, Images } from '../images/images.ts';
import type { ImageToLoad, Store } from './store.ts';
import { layerFlaw } from './store.ts';

/** The repository of the names under which images are sent, until they are verified. */
const STAGING = 'drayage-load';

/**
 * The containerd image store. An image's ID is the digest of its manifest or index, and the store keeps the documents
 * and blobs as they were sent. It reports success for images whose blobs are missing, and moves their names. So images
 * are sent under a separate name, and their completeness is checked in every available way.
 */
export const containerdStore: Store = {
  kind: 'containerd',
  isOf: async (signs) => (await signs.driver()) === 'io.containerd.snapshotter.v1',
  spools: false,
  choosesSince: '1.48',
  platforms: ({ manifests }) =>
    manifests?.flatMap(({ digest, platform, available }) =>
      available && platform !== undefined ? [{ platform, digest }] : [],
    ),
  // The name follows from the content, so that the next load of the image takes over what a killed one left.
  stagedName: ({ root }, anchor) => anchor && `${STAGING}:${digestHex(root.digest).slice(0, 128)}`,
  probe: async (access, toLoad, _name, options) => probeBlobs(access, toLoad, options),
  archive: ({ root, source }, { names, omit }, options) =>
    writeOciArchive(root, names, source, { ...options, omit }),
  idOf: ({ root }) => root.digest,
  flaw: async (images, toLoad, options) => {
    const { root, image } = toLoad;
    const found = await images.find(root.digest, { ...options, manifests: true });
    if (found === undefined) return 'it is not there';
    if (found.id !== root.digest) return `it is ${found.id}, not ${root.digest}`;
    return (
      (await contentFlaw(toLoad, found, options)) ??
      layerFlaw(image, found.diffIds) ??
      (await listFlaw(images, root.digest, options))
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
