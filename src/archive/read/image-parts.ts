import type { IngestedLayer } from '../../content/layer.ts';
import { DrayageError } from '../../errors.ts';
import type { ImageConfig } from '../../oci/config.ts';
import { parseConfig } from '../../oci/config.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Document, Manifest } from '../../oci/manifest.ts';
import { isNonDistributable, OCI_CONFIG } from '../../oci/media-types.ts';
import type { ArchiveContents } from './contents.ts';
import { blobName, missing } from './contents.ts';
import type { DockerImage } from '../docker-manifest.ts';
import { memoize } from './memoize.ts';
import { quote } from '../tar/header.ts';

/** What an image is made of, whoever lists it: its config, and its layers with the diffIDs that the config states. */
export interface ImageParts {
  config: Document;
  value: ImageConfig;
  /** Bottom first. */
  layers: IngestedLayer[];
}

type NamedLayers = { entry: string; layer: IngestedLayer }[];

/** Brings together what images are made of. What is asked for again is not read again. */
export class PartsReader {
  readonly #contents: ArchiveContents;
  readonly #docker = new Map<string, Promise<ImageParts>>();
  readonly #configs = new Map<Digest, ImageConfig>();

  constructor(contents: ArchiveContents) {
    this.#contents = contents;
  }

  /**
   * What an entry of manifest.json names.
   * @throws {@link DrayageError} `INCOMPLETE`, `MALFORMED`, `DIGEST_MISMATCH`, each naming the entry
   */
  async docker({ config, layers }: DockerImage): Promise<ImageParts> {
    const key = JSON.stringify([config, layers]);
    const parts = this.#docker.get(key) ?? this.#readDocker(config, layers);
    this.#docker.set(key, parts);
    return parts;
  }

  /**
   * What an OCI manifest names. Errors as of {@link docker}, also `SIZE_MISMATCH`; `UNSUPPORTED` where a layer is absent
   * that is to be had from elsewhere.
   */
  readonly oci: (manifest: Manifest) => Promise<ImageParts> = memoize(async (manifest) => {
    const config = await this.#contents.documentBlob(manifest.config);
    const configName = blobName(manifest.config.digest);
    if (config === undefined) throw missing(configName);
    const layers: NamedLayers = [];
    for (const blob of manifest.layers) {
      if (isElsewhere(blob) && this.#contents.blob(blob) === undefined) throw elsewhere(blob);
      layers.push({ entry: blobName(blob.digest), layer: await this.#contents.layerBlob(blob) });
    }
    return checkedParts(config, this.#config(config, configName), configName, layers);
  });

  async #readDocker(name: string, entries: string[]): Promise<ImageParts> {
    const config = await this.#contents.document(name, OCI_CONFIG);
    const layers: NamedLayers = [];
    for (const entry of entries) layers.push({ entry, layer: await this.#contents.layer(entry) });
    return checkedParts(config, this.#config(config, name), name, layers);
  }

  #config({ descriptor, bytes }: Document, name: string): ImageConfig {
    const { digest } = descriptor;
    const value = this.#configs.get(digest) ?? parseConfig(bytes, `archive entry ${quote(name)}`);
    this.#configs.set(digest, value);
    return value;
  }
}

function isElsewhere({ mediaType, urls = [] }: Descriptor): boolean {
  return isNonDistributable(mediaType) && urls.length > 0;
}

function elsewhere({ digest }: Descriptor): DrayageError {
  return new DrayageError(
    'UNSUPPORTED',
    `layer ${digest} is not in the archive but at another address, which is not read`,
    { digest, entry: blobName(digest) },
  );
}

function checkedParts(
  config: Document,
  value: ImageConfig,
  configName: string,
  layers: NamedLayers,
): ImageParts {
  const { diff_ids: diffIds } = value.rootfs;
  if (diffIds.length !== layers.length) {
    const message = `the image of ${quote(configName)} has ${layers.length} layers, its config ${diffIds.length} diff_ids`;
    throw new DrayageError('MALFORMED', message, {
      entry: configName,
      expected: diffIds.length,
      actual: layers.length,
    });
  }
  for (const [i, { entry, layer }] of layers.entries()) {
    const expected = diffIds[i];
    if (layer.diffId === expected) continue;
    throw new DrayageError('DIGEST_MISMATCH', `layer ${quote(entry)} is not the one that its config names`, {
      entry,
      expected,
      actual: layer.diffId,
    });
  }
  return { config, value, layers: layers.map(({ layer }) => layer) };
}
