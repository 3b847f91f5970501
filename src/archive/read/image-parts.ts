import type { IngestedLayer } from '../../content/layer.ts';
import { DrayageError } from '../../errors.ts';
import type { ImageConfig } from '../../oci/config.ts';
import { parseConfig } from '../../oci/config.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Document, Manifest } from '../../oci/manifest.ts';
import { isNonDistributable, OCI_CONFIG } from '../../oci/media-types.ts';
import type { ArchiveContents } from './contents.ts';
import { missing } from './contents.ts';
import type { DockerImage } from '../docker-manifest.ts';
import { memoize } from './memoize.ts';
import { quote } from '../tar/header.ts';
import { blobName } from '../../oci/layout.ts';

/** What an image is made of, whoever lists it: its config, and its layers with the diffIDs that the config states. */
export interface ImageParts {
  config: Document;
  value: ImageConfig;
  /** Bottom first. */
  layers: IngestedLayer[];
}

/** Parts with the names of their entries. */
type NamedConfig = { config: Document; name: string };
type NamedLayers = { entry: string; layer: IngestedLayer }[];

/** Brings together what images are made of. What is asked for again is not read again. */
export class PartsReader {
  readonly #contents: ArchiveContents;

  constructor(contents: ArchiveContents) {
    this.#contents = contents;
  }

  /**
   * What an entry of manifest.json names.
   * @throws {@link DrayageError} `INCOMPLETE`, `MALFORMED`, `DIGEST_MISMATCH`, each naming the entry
   */
  readonly docker: (image: DockerImage) => Promise<ImageParts> = memoize(
    async ({ config: name, layers: entries }) => {
      const config = await this.#contents.document(name, OCI_CONFIG);
      const layers: NamedLayers = [];
      for (const entry of entries) layers.push({ entry, layer: await this.#contents.layer(entry) });
      return this.#checked({ config, name }, layers);
    },
    ({ config, layers }) => JSON.stringify([config, layers]),
  );

  /**
   * What an OCI manifest names. Errors as of {@link docker}, also `SIZE_MISMATCH`; `UNSUPPORTED` where a layer is absent
   * that is to be had from elsewhere.
   */
  readonly oci: (manifest: Manifest) => Promise<ImageParts> = memoize(async (manifest) => {
    const config = await this.#contents.documentBlob(manifest.config);
    const name = blobName(manifest.config.digest);
    if (config === undefined) throw missing(name);
    const layers: NamedLayers = [];
    for (const blob of manifest.layers) {
      if (isElsewhere(blob) && this.#contents.blob(blob) === undefined) throw elsewhere(blob);
      layers.push({ entry: blobName(blob.digest), layer: await this.#contents.layerBlob(blob) });
    }
    return this.#checked({ config, name }, layers);
  });

  /** Holds layers against their config, which is the truth about them. */
  #checked(named: NamedConfig, layers: NamedLayers): ImageParts {
    const { config, name } = named;
    const value = this.#parse(named);
    const { diff_ids: diffIds } = value.rootfs;
    if (diffIds.length !== layers.length) {
      const message = `the image of ${quote(name)} has ${layers.length} layers, its config ${diffIds.length} diff_ids`;
      const [expected, actual] = [diffIds.length, layers.length];
      throw new DrayageError('MALFORMED', message, { entry: name, expected, actual });
    }
    for (const [i, { entry, layer }] of layers.entries()) {
      const [expected, actual] = [diffIds[i], layer.diffId];
      if (actual === expected) continue;
      const message = `layer ${quote(entry)} is not the one that its config names`;
      throw new DrayageError('DIGEST_MISMATCH', message, { entry, expected, actual });
    }
    return { config, value, layers: layers.map(({ layer }) => layer) };
  }

  readonly #parse = memoize(
    ({ config, name }: NamedConfig) => parseConfig(config.bytes, `archive entry ${quote(name)}`),
    ({ config }) => config.descriptor.digest,
  );
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
