import type { IngestedLayer } from '../content.ts';
import { DrayageError } from '../errors.ts';
import type { ImageConfig } from '../oci/config.ts';
import { parseConfig } from '../oci/config.ts';
import type { Document, Manifest } from '../oci/manifest.ts';
import { OCI_CONFIG } from '../oci/media-types.ts';
import type { ArchiveContents } from './contents.ts';
import { blobName, missing } from './contents.ts';
import type { DockerImage } from './docker-manifest.ts';
import { quote } from './tar-header.ts';

/** What an image is made of, whoever lists it: its config, and its layers with the diffIDs that the config states. */
export interface ImageParts {
  config: Document;
  value: ImageConfig;
  /** Bottom first. */
  layers: IngestedLayer[];
}

/**
 * Brings together what an entry of manifest.json names.
 * @throws {@link DrayageError} `INCOMPLETE`, `MALFORMED`, `DIGEST_MISMATCH`, each naming the entry
 */
export async function dockerParts(contents: ArchiveContents, image: DockerImage): Promise<ImageParts> {
  const config = await contents.document(image.config, OCI_CONFIG);
  const layers: { entry: string; layer: IngestedLayer }[] = [];
  for (const entry of image.layers) layers.push({ entry, layer: await contents.layer(entry) });
  return checkedParts(config, image.config, layers);
}

/** Brings together what an OCI manifest names. Errors as of {@link dockerParts}, also `SIZE_MISMATCH`. */
export async function ociParts(contents: ArchiveContents, manifest: Manifest): Promise<ImageParts> {
  const config = await contents.documentBlob(manifest.config);
  const configName = blobName(manifest.config.digest);
  if (config === undefined) throw missing(configName);
  const layers: { entry: string; layer: IngestedLayer }[] = [];
  for (const blob of manifest.layers) {
    layers.push({ entry: blobName(blob.digest), layer: await contents.layerBlob(blob) });
  }
  return checkedParts(config, configName, layers);
}

function checkedParts(
  config: Document,
  configName: string,
  layers: { entry: string; layer: IngestedLayer }[],
): ImageParts {
  const value = parseConfig(config.bytes, `archive entry ${quote(configName)}`);
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
      ...(expected && { expected }),
      actual: layer.diffId,
    });
  }
  return { config, value, layers: layers.map(({ layer }) => layer) };
}
