import { writeDockerArchive } from '../archive/write/docker.ts';
import { probeChain } from './graph-probe.ts';
import type { Store } from './store.ts';
import { layerFlaw } from './store.ts';

/**
 * Docker's own store. An image's ID is the digest of its config, which names all layers: an image of that ID with those
 * layers is the image. It checks every diffID and makes an image, and moves names, only when all is there, so that images
 * are sent under the name they are to have. Layers are sent uncompressed, the one form that all versions read; unpacking is
 * what takes the daemon's time.
 */
export const graphStore: Store = {
  stagedName: (_cargo, anchor) => anchor,
  probe: probeChain,
  archive: ({ image, source }, { names, omit }, options) =>
    writeDockerArchive([{ image, names }], source, { ...options, omit, receiverChecks: true }),
  idOf: ({ image }) => image.config.descriptor.digest,
  flaw: async (images, { image }, options) => {
    const found = await images.find(image.config.descriptor.digest, options);
    return found === undefined ? 'it is not there' : layerFlaw(image, found.diffIds);
  },
};
