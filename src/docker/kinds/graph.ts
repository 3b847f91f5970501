import { writeDockerArchive } from '../../archive/write/docker.ts';
import { probeChain } from './graph-probe.ts';
import type { Store } from './store.ts';
import { layerFlaw } from './store.ts';

/**
 * Docker's own store. An image's ID is the digest of its config, which names all layers: an image with that ID and
 * those layers is the image. The store checks every diffID. It makes an image and moves names only when everything is
 * there, so images are sent under their final name. Layers are sent uncompressed, the one form that all versions read;
 * most of the daemon's time goes into unpacking.
 */
export const graphStore: Store = {
  kind: 'graph',
  isOf: () => true,
  spools: true,
  platforms: ({ id, os, architecture, variant }) => [{ platform: { os, architecture, variant }, digest: id }],
  stagedName: (_toLoad, anchor) => anchor,
  probe: probeChain,
  archive: ({ image, source }, { names, omit }, options) =>
    writeDockerArchive([{ image, names }], source, { ...options, omit, receiverChecks: true }),
  idOf: ({ image }) => image.config.descriptor.digest,
  flaw: async (images, { image }, options) => {
    const found = await images.find(image.config.descriptor.digest, options);
    return found === undefined ? 'it is not there' : layerFlaw(image, found.diffIds);
  },
};
