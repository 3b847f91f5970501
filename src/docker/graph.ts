import { writeDockerArchive } from '../archive/write.ts';
import type { Store } from './store.ts';
import { layerFlaw } from './store.ts';

/**
 * Docker's own store. An image's ID is the digest of its config, which names all layers: an image of that ID with those
 * layers is the image. Layers are sent uncompressed, the one form that all versions read; unpacking is what takes the
 * daemon's time.
 */
export const graphStore: Store = {
  takesNames: true,
  archive: ({ image, source }, names, options) => writeDockerArchive([{ image, names }], source, options),
  idOf: ({ image }) => image.config.descriptor.digest,
  isPresent: async (images, { image }, options) => {
    const found = await images.find(image.config.descriptor.digest, options);
    return found !== undefined && layerFlaw(image, found.diffIds) === undefined;
  },
  flaw: async (images, { image }, name, options) => {
    const id = image.config.descriptor.digest;
    const found = await images.find(name ?? id, options);
    if (found === undefined) return 'it is not there';
    return found.id === id ? layerFlaw(image, found.diffIds) : `it is ${found.id}, not ${id}`;
  },
};
