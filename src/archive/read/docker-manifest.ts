import * as v from 'valibot';
import { DrayageError } from '../../errors.ts';
import { parseJson } from '../../oci/json.ts';
import { DOCKER_MANIFEST_FILE } from '../../oci/layout.ts';
import type { Match } from '../../oci/match.ts';
import { withKnownKeys } from '../../oci/keys.ts';
import { match } from '../../oci/match.ts';
import { checkDocument, isObject, listOrNone, optional } from '../../oci/parse.ts';
import { namesAmong } from '../../oci/reference.ts';
import type { DockerImage } from '../docker-manifest.ts';

/** How many images manifest.json may list, each under each of its names. */
const MAX_LISTED = 10_000;

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

/** The keys of an entry that docker reads. */
const READ_KEYS = [...Object.keys(imageSchema.entries), 'Parent', 'LayerSources'];

/**
 * Reads manifest.json. Keys are taken without case, as docker takes them: some producers write them so. An entry that cannot
 * be read costs no other.
 * @param onOther gets each of `RepoTags` that cannot be a name; it is skipped
 * @throws {@link DrayageError} `MALFORMED`; `LIMIT`, counting entries that cannot be read, too
 */
export function parseDockerManifest(bytes: Uint8Array, onOther?: (text: string) => void): DockerManifest {
  const entries = checkDocument(
    v.nullable(v.array(v.unknown())),
    parseJson(bytes, DOCKER_MANIFEST_FILE),
    DOCKER_MANIFEST_FILE,
  );
  const manifest: DockerManifest = { images: [], unread: [] };
  let listed = 0;
  for (const entry of entries ?? []) {
    const value = withDockerKeys(entry);
    const texts = tagsIn(value);
    listed += Math.max(texts.length, 1);
    if (listed > MAX_LISTED) throw tooMany(listed);
    const names = namesAmong(texts, onOther);
    const read = readImage(value);
    if (read.problem === undefined) manifest.images.push({ ...read.value, names });
    else manifest.unread.push({ names, problem: read.problem });
  }
  return manifest;
}

function readImage(entry: unknown): Match<Omit<DockerImage, 'names'>> {
  const read = match(imageSchema, entry);
  if (read.problem !== undefined) return read;
  const { Config: config = '', Layers: layers } = read.value;
  return config === '' ? { problem: 'it has no Config' } : { value: { config, layers } };
}

/** `RepoTags` of an entry, which may be wrong elsewhere. */
function tagsIn(entry: unknown): string[] {
  const tags = match(namesSchema, isObject(entry) ? entry['RepoTags'] : []);
  return tags.problem === undefined ? tags.value : [];
}

/** An entry with the keys that are read here as docker writes them. */
function withDockerKeys(entry: unknown): unknown {
  const known = isObject(entry) ? withKnownKeys(entry, READ_KEYS) : entry;
  if (known !== undefined) return known;
  throw new DrayageError('MALFORMED', `${DOCKER_MANIFEST_FILE} has a key twice, in different case`);
}

function tooMany(count: number): DrayageError {
  return new DrayageError('LIMIT', `${DOCKER_MANIFEST_FILE} lists over ${MAX_LISTED} images`, {
    expected: MAX_LISTED,
    actual: count,
  });
}
