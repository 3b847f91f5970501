import type { Descriptor } from '../oci/descriptor.ts';
import { blobName } from '../oci/layout.ts';

/** An entry of manifest.json: one image. */
export interface DockerImage {
  /** The entry of its config. The name proves nothing. */
  config: string;
  /** Familiar references. */
  names: string[];
  /** The entries of its layers, bottom first. */
  layers: string[];
}

/** The entry of an image over the blobs of a layout. */
export function blobEntry(
  config: Descriptor,
  layers: readonly Descriptor[],
  names: readonly string[],
): DockerImage {
  return {
    config: blobName(config.digest),
    names: [...names],
    layers: layers.map(({ digest }) => blobName(digest)),
  };
}

/** Writes a manifest.json, in the order of keys that docker has. */
export function formatDockerManifest(images: readonly DockerImage[]): Buffer {
  const entries = images.map(({ config, names, layers }) => ({
    Config: config,
    RepoTags: names.length > 0 ? names : null,
    Layers: layers,
  }));
  return Buffer.from(JSON.stringify(entries));
}
