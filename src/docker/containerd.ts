import { writeOciArchive } from '../archive/write-oci.ts';
import type { Images } from './images.ts';
import type { Store } from './store.ts';
import { layerFlaw } from './store.ts';

/**
 * The containerd image store. An image's ID is the digest of its manifest or index, and its content is kept as it was sent:
 * it gets the very documents and blobs. It reports success for images of which blobs are missing, so that whether one is
 * whole is asked in every way there is.
 */
export const containerdStore: Store = {
  takesNames: true,
  archive: ({ root, source }, names, options) => writeOciArchive(root, names, source, options),
  idOf: ({ root }) => root.digest,
  // It may know an image and lack its blobs: nothing short of them proves that it is there.
  isPresent: async () => false,
  flaw: async (images, { root, image }, name, { signal }) => {
    const found = await images.find(name ?? root.digest, { signal, manifests: true });
    if (found === undefined) return 'it is not there';
    if (found.id !== root.digest) return `it is ${found.id}, not ${root.digest}`;
    const manifest = found.manifests?.find(({ digest }) => digest === image.manifest.descriptor.digest);
    if (manifest?.available === false) return 'content of it is missing';
    return layerFlaw(image, found.diffIds) ?? (await listFlaw(images, root.digest, signal));
  },
};

/** Docker 26 inspects a broken image without a word, and leaves it out of its list. */
async function listFlaw(
  images: Images,
  id: string,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const listed = await images.list({ signal });
  return listed.some((image) => image.id === id) ? undefined : 'it is not among the images of the daemon';
}
