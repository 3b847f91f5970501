import { currentBudget } from '../budget.ts';
import * as v from 'valibot';
import type { Descriptor } from './descriptor.ts';
import { descriptorSchema } from './descriptor-schema.ts';
import { parseJson } from './json.ts';
import { DOCKER_MANIFEST_LIST, OCI_INDEX } from './media-types.ts';
import type { Document } from './manifest.ts';
import { toDocument } from './manifest.ts';
import type { Match } from './match.ts';
import type { Fields } from './parse.ts';
import { documentObject, foldKey } from './keys.ts';
import { match } from './match.ts';
import {
  checkDocument,
  isNothing,
  isObject,
  list,
  optional,
  optionalType,
  parseDocument,
  schemaVersion,
  stringsSchema,
} from './parse.ts';

/** An image index (OCI image-spec, image-index.md) or a Docker manifest list. */
export interface Index {
  schemaVersion: 2;
  mediaType?: string | undefined;
  artifactType?: string | undefined;
  manifests: Descriptor[];
  subject?: Descriptor | undefined;
  annotations?: Record<string, string> | undefined;
}

const indexSchema: v.GenericSchema<unknown, Index> = documentObject({
  schemaVersion: v.optional(schemaVersion, 2),
  mediaType: optional(v.picklist([OCI_INDEX, DOCKER_MANIFEST_LIST])),
  artifactType: optionalType,
  manifests: list(descriptorSchema),
  subject: optional(descriptorSchema),
  annotations: optional(stringsSchema),
  layers: v.optional(v.undefined('an index must not have "layers"')),
  config: v.optional(v.undefined('an index must not have "config"')),
  fsLayers: v.optional(v.undefined('an index must not have "fsLayers"')),
});

/** The entries of a layout's index.json. */
export interface LayoutEntries {
  manifests: Descriptor[];
  /** Entries that name no content that could be read, unchanged. */
  unread: UnreadEntry[];
}

/** A layout's index.json (OCI image-spec, image-layout.md#indexjson-file). */
export interface LayoutIndex extends Index, LayoutEntries {}

/** An entry of an unknown digest algorithm, or whatever else is no descriptor that could be read. */
export type UnreadEntry = unknown;

/** The index.json of a layout without images. */
export const EMPTY_INDEX: LayoutIndex = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [], unread: [] };

/** The keys of an entry that identify its content. */
const IDENTIFYING = ['mediaType', 'digest', 'size'] as const;

/** A digest of any algorithm (OCI image-spec, descriptor.md#digests). */
const ANY_DIGEST = /^[a-z0-9]+(?:[+._-][a-z0-9]+)*:[\w=-]+$/;

/**
 * Reads a layout's index.json. Entries that name no content that could be read are kept apart.
 * @throws {@link DrayageError} `MALFORMED`; `LIMIT` beyond the run's budget
 */
export function parseLayoutIndex(bytes: Uint8Array, what: string): LayoutIndex {
  currentBudget()?.spendDocument(what, bytes);
  const index = parseEntries(bytes, what);
  currentBudget()?.spend('entries', index.manifests.length + index.unread.length);
  return index;
}

/**
 * Parses an index whose entries are independent of each other: those that cannot be read are kept apart.
 * @throws {@link DrayageError} `MALFORMED`
 */
export function parseEntries(bytes: Uint8Array, what: string): LayoutIndex {
  const json = parseJson(bytes, what);
  if (!isObject(json) || !Array.isArray(json['manifests']))
    return { ...checkDocument(indexSchema, json, what), unread: [] };
  const index = checkDocument(indexSchema, { ...json, manifests: [] }, what);
  return { ...index, ...readEntries(json['manifests'], what) };
}

/** The text of an index.json; the unread entries come last. */
export function formatLayoutIndex({ unread, ...index }: LayoutIndex): string {
  return JSON.stringify({ ...index, manifests: [...index.manifests, ...unread] });
}

/**
 * Reads the entries of an index, each by itself.
 * @throws {@link DrayageError} `MALFORMED` if another program may read other content in an entry
 */
function readEntries(entries: readonly unknown[], what: string): LayoutEntries {
  const found: LayoutEntries = { manifests: [], unread: [] };
  for (const [i, entry] of entries.entries()) {
    if (isAmbiguous(entry)) checkDocument(descriptorSchema, entry, `${what}: manifests.${i}`);
    const read = readEntry(entry);
    if (read.problem === undefined) found.manifests.push(read.value);
    else found.unread.push(entry);
  }
  return found;
}

/**
 * The content that an unread entry names all the same, if its type, digest and size can be read. A property beside these must
 * not hide content.
 */
export function contentNamed(entry: UnreadEntry): Descriptor | undefined {
  if (!isObject(entry) || namesNothing(entry) !== undefined) return undefined;
  const { mediaType, digest, size } = entry;
  const read = match(descriptorSchema, { mediaType, digest, size });
  return read.problem === undefined ? read.value : undefined;
}

/** Why an entry is not read. */
export function reasonUnread(entry: UnreadEntry): string {
  return readEntry(entry).problem ?? '';
}

function readEntry(entry: unknown): Match<Descriptor> {
  const problem = isObject(entry)
    ? namesNothing(entry)
    : `it is ${entry === null ? 'null' : 'not an object'}`;
  return problem === undefined ? match(descriptorSchema, entry) : { problem };
}

/** Why an entry names no content that could be read, before its other properties are checked. */
function namesNothing({ mediaType, digest, size }: Fields): string | undefined {
  if (isNothing(digest)) return 'it has no digest';
  if (typeof digest === 'string' && ANY_DIGEST.test(digest) && !/^sha(?:256|512):/.test(digest))
    return 'its digest algorithm is unknown';
  if (isNothing(mediaType)) return 'it has no media type';
  return isNothing(size) ? 'it has no size' : undefined;
}

/** Whether a key that identifies content has another spelling: another program may read it. */
function isAmbiguous(entry: unknown): boolean {
  return isObject(entry) && Object.keys(entry).some(isRespelled);
}

function isRespelled(key: string): boolean {
  return IDENTIFYING.some((plain) => plain !== key && foldKey(plain) === foldKey(key));
}

/**
 * Parses an image index. `manifests: null`, which exists, is an empty list.
 * @throws {@link DrayageError} `MALFORMED`
 */
export function parseIndex(bytes: Uint8Array, what: string): Index {
  return parseDocument(indexSchema, bytes, what);
}

/** Writes an image index: compact JSON, keys in the order schemaVersion, mediaType, manifests; unread entries come last. */
export function buildIndex(
  descriptors: readonly Descriptor[],
  unread: readonly UnreadEntry[] = [],
): Document {
  const manifests = [...descriptors, ...unread];
  return toDocument(OCI_INDEX, JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests }));
}
