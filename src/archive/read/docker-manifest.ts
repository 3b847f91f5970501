import * as v from 'valibot';
import { DrayageError } from '../../errors.ts';
import { parseJson } from '../../oci/json.ts';
import { DOCKER_MANIFEST_FILE } from '../../oci/layout.ts';
import { checkDocument, isObject, listOrNone, match, optional, withKnownKeys } from '../../oci/parse.ts';
import { namesAmong } from '../../oci/reference.ts';
import type { DockerImage } from '../docker-manifest.ts';

/** An entry of manifest.json that cannot be read. */
export interface UnreadImage {
  /** Its names, as far as they can be read. */
  names: string[];
  /** What is wrong with it. */
  problem: string;
}

/** What manifest.json lists. */
export interface DockerManifest {
  images: DockerImage[];
  unread: UnreadImage[];
}

/** A `null` is an empty text, as in Go, and so no name. */
const namesSchema = listOrNone(
  v.pipe(
    v.nullable(v.string()),
    v.transform((text) => text ?? ''),
  ),
);
const imageSchema = v.looseObject({
  Config: optional(v.string()),
  RepoTags: namesSchema,
  Layers: listOrNone(v.string()),
});
/**
 * Reads manifest.json. Keys are taken without case, as docker takes them: some producers write them so. An entry that cannot
 * be read costs no other.
 * @param onOther gets each of `RepoTags` that cannot be a name; it is skipped
 * @throws {@link DrayageError} `MALFORMED`
 */
export function parseDockerManifest(bytes: Uint8Array, onOther?: (text: string) => void): DockerManifest {
  const entries = checkDocument(
    v.nullable(v.array(v.unknown())),
    parseJson(bytes, DOCKER_MANIFEST_FILE),
    DOCKER_MANIFEST_FILE,
  );
  const manifest: DockerManifest = { images: [], unread: [] };
  for (const entry of entries ?? []) {
    const value = withDockerKeys(entry);
    const read = match(imageSchema, value);
    if (read.problem !== undefined) {
      manifest.unread.push({ names: namesIn(value), problem: read.problem });
      continue;
    }
    const { Config: config, RepoTags, Layers: layers } = read.value;
    const names = namesAmong(RepoTags, onOther);
    if (config === undefined || config === '') manifest.unread.push({ names, problem: 'it has no Config' });
    else manifest.images.push({ config, names, layers });
  }
  return manifest;
}

/** The names of an entry that is wrong elsewhere. */
function namesIn(entry: unknown): string[] {
  const texts = isObject(entry) ? match(namesSchema, entry['RepoTags']) : undefined;
  return texts?.problem === undefined ? namesAmong(texts?.value ?? []) : [];
}

/** An entry with the keys that are read here as docker writes them. */
function withDockerKeys(entry: unknown): unknown {
  const known = isObject(entry) ? withKnownKeys(entry, Object.keys(imageSchema.entries)) : entry;
  if (known !== undefined) return known;
  throw new DrayageError('MALFORMED', `${DOCKER_MANIFEST_FILE} has a key twice, in different case`);
}
