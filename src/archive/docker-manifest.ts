import * as v from 'valibot';
import { DrayageError } from '../errors.ts';
import { parseJson } from '../oci/json.ts';
import { checkDocument, foldKey } from '../oci/parse.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { blobName, DOCKER_MANIFEST_FILE } from '../oci/layout.ts';
import { namesAmong } from '../oci/reference.ts';

/** An entry of manifest.json: one image. */
export interface DockerImage {
  /** The entry of its config. The name proves nothing. */
  config: string;
  /** Familiar references. */
  names: string[];
  /** The entries of its layers, bottom first. */
  layers: string[];
}

const strings = v.nullish(v.array(v.string()));
/** A `null` is an empty text, as in Go, and so no name. */
const repoTags = v.nullish(
  v.array(
    v.pipe(
      v.nullable(v.string()),
      v.transform((text) => text ?? ''),
    ),
  ),
);
const manifestSchema = v.nullable(
  v.array(v.looseObject({ config: v.string(), repotags: repoTags, layers: strings })),
);

/**
 * Reads manifest.json. Keys are taken without case, as docker takes them: some producers write them so.
 * @param onOther gets each of `RepoTags` that cannot be a name; it is skipped
 * @throws {@link DrayageError} `MALFORMED`
 */
export function parseDockerManifest(bytes: Uint8Array, onOther?: (text: string) => void): DockerImage[] {
  const json = parseJson(bytes, DOCKER_MANIFEST_FILE);
  const images = Array.isArray(json) ? json.map(lowerKeys) : json;
  const found = checkDocument<v.InferOutput<typeof manifestSchema>>(
    manifestSchema,
    images,
    DOCKER_MANIFEST_FILE,
  );
  return (found ?? []).map(({ config, repotags, layers }) => ({
    config,
    layers: layers ?? [],
    names: namesAmong(repotags ?? [], onOther),
  }));
}

function lowerKeys(image: unknown): unknown {
  if (typeof image !== 'object' || image === null) return image;
  const lowered = Object.entries(image).map(([key, value]): [string, unknown] => [foldKey(key), value]);
  if (new Set(lowered.map(([key]) => key)).size < lowered.length) {
    throw new DrayageError('MALFORMED', `${DOCKER_MANIFEST_FILE} has a key twice, in different case`);
  }
  return Object.fromEntries(lowered);
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
