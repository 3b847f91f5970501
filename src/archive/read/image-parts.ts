import { count } from '../../text/count.ts';
import type { IngestedLayer } from '../../content/layer.ts';
import { DrayageError } from '../../errors.ts';
import type { ImageConfig } from '../../oci/config.ts';
import { parseConfig } from '../../oci/config.ts';
import type { Digest } from '../../oci/digest.ts';
import { digestAlgorithm } from '../../oci/digest.ts';
import type { Document, Manifest, ParsedDocument } from '../../oci/manifest.ts';
import { OCI_CONFIG } from '../../oci/media-types.ts';
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
  /** Bottom first; undefined where one is absent that may be. */
  layers: (IngestedLayer | undefined)[];
}

/** A manifest, and which of its layers may be absent. */
export interface OciImage {
  manifest: ParsedDocument<Manifest>;
  mayLack: (digest: Digest) => boolean;
}

/** Parts with the names of their entries. */
type NamedConfig = { config: Document; name: string };
type NamedLayers = { entry: string; layer: IngestedLayer | undefined }[];

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
   * What an OCI manifest names. Errors as of {@link docker}, also `SIZE_MISMATCH`.
   */
  readonly oci: (image: OciImage) => Promise<ImageParts> = memoize(
    async ({ manifest: { value }, mayLack }) => {
      const config = await this.#contents.documentBlob(value.config);
      const name = blobName(value.config.digest);
      if (config === undefined) throw missing(name);
      const layers: NamedLayers = [];
      for (const blob of value.layers) {
        const isAbsent = mayLack(blob.digest) && this.#contents.blob(blob) === undefined;
        const layer = isAbsent ? undefined : await this.#contents.layerBlob(blob);
        layers.push({ entry: blobName(blob.digest), layer });
      }
      return this.#checked({ config, name }, layers);
    },
    ({ manifest }) => manifest.descriptor.digest,
  );

  /** Holds layers against their config, which is the truth about them. */
  #checked(named: NamedConfig, layers: NamedLayers): ImageParts {
    const { config, name } = named;
    const value = this.#parse(named);
    const { diff_ids: diffIds } = value.rootfs;
    if (diffIds.length !== layers.length) {
      const message = `the image of ${quote(name)} has ${count(layers.length, 'layer')}, its config ${count(diffIds.length, 'diff_id')}`;
      const [expected, actual] = [diffIds.length, layers.length];
      throw new DrayageError('MALFORMED', message, { entry: name, expected, actual });
    }
    for (const [i, { entry, layer }] of layers.entries()) {
      const [expected, actual] = [diffIds[i], layer?.diffId];
      if (actual === undefined || actual === expected) continue;
      if (expected !== undefined && digestAlgorithm(expected) !== digestAlgorithm(actual))
        throw otherHash(entry, expected);
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

/** Layers of an archive are hashed as they pass, by sha256 alone. */
function otherHash(entry: string, diffId: Digest): DrayageError {
  const message = `layer ${quote(entry)} is named by ${digestAlgorithm(diffId)} in its config, which is not read from an archive`;
  return new DrayageError('UNSUPPORTED', message, {
    entry,
    digest: diffId,
    hint: 'unpack it with tar -C DIR -xf FILE, and name that DIR',
  });
}
