import { formatDockerManifest } from '../../archive/docker-manifest.ts';
import { smallEntry, writeTar } from '../../archive/tar/write.ts';
import { writeDockerArchive } from '../../archive/write/docker.ts';
import type { ContentOptions } from '../../content/source.ts';
import { isDrayageError } from '../../errors.ts';
import type { Image } from '../../image/image.ts';
import { DOCKER_MANIFEST_FILE } from '../../oci/layout.ts';
import type { Store, ImageToLoad, Held, StoreAccess } from './store.ts';
import { withSha256Config } from './sha256.ts';
import { layerFlaw, heldNothing } from './store.ts';
import type { Readable } from 'node:stream';

/**
 * Docker's own store. An image's ID is the digest of its config, which names all layers: an image with that ID and
 * those layers is the image. The store checks every diffID. It makes an image and moves names only when everything is
 * there, so images are sent under their final name. Layers are sent uncompressed, the one form that all versions read;
 * most of the daemon's time goes into unpacking.
 */
export const graphStore: Store<'graph'> = {
  kind: 'graph',
  title: 'docker with its own image store',
  isOf: () => true,
  spools: true,
  hasIdentity: true,
  namesByConfig: true,
  platforms: ({ id, os, architecture, variant }) => [{ platform: { os, architecture, variant }, digest: id }],
  prepare: withSha256Config,
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

/** Docker's message that it lacks the layer of this number: it tried to open the layer's file. */
const MISSING_LAYER = /\bopen .*\/L\/(\d{4,}): no such file or directory/;

/**
 * Asks docker's own store how many layers of an image it holds, from the bottom, by loading the image without layers.
 * Docker does not look in the archive for a layer that it has on top of the same layers, even if only the build cache
 * holds it. Its error names the first missing one. If none is missing, this was the load.
 */
async function probeChain(
  { send }: StoreAccess,
  toLoad: ImageToLoad,
  name: string | undefined,
  options: ContentOptions,
): Promise<Held> {
  try {
    await send(layerless(toLoad.image, name, options));
    return held(toLoad, toLoad.image.layers.length);
  } catch (error) {
    if (isDrayageError(error, 'DAEMON')) return held(toLoad, firstMissing(String(error.facts.actual)));
    throw error;
  }
}

/**
 * Layers are numbered: one diffID may occur several times, and only together with the layers below it is it one layer.
 */
function layerless(image: Image, name: string | undefined, { signal }: ContentOptions): Readable {
  const manifest = formatDockerManifest([
    {
      config: 'c.json',
      names: name === undefined ? [] : [name],
      layers: image.layers.map((_, i) => `L/${String(i).padStart(4, '0')}`),
    },
  ]);
  return writeTar(
    async function* () {
      yield smallEntry(DOCKER_MANIFEST_FILE, manifest);
      yield smallEntry('c.json', image.config.bytes);
    },
    { signal },
  );
}

/** 0 if the message is not understood. */
function firstMissing(text: string): number {
  return Number(MISSING_LAYER.exec(text)?.[1] ?? 0);
}

function held(toLoad: ImageToLoad, count: number): Held {
  const { layers } = toLoad.image;
  if (count > layers.length) return heldNothing(toLoad);
  const missing = new Set(layers.slice(count).map(({ diffId }) => diffId));
  const present = layers.slice(0, count).map(({ diffId }) => diffId);
  return {
    ...heldNothing(toLoad),
    layers: layers.map((_, i) => i < count),
    // The archive has one file for a diffID, however often the image needs it.
    omit: new Set(present.filter((diffId) => !missing.has(diffId))),
    loaded: count === layers.length,
  };
}
