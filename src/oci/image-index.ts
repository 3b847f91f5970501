import { currentBudget } from '../budget.ts';
import * as v from 'valibot';
import type { Descriptor } from './descriptor.ts';
import { descriptorSchema } from './descriptor.ts';
import { parseJson } from './json.ts';
import { DOCKER_MANIFEST_LIST, OCI_INDEX } from './media-types.ts';
import type { Document } from './manifest.ts';
import { toDocument } from './manifest.ts';
import {
  checkDocument,
  documentObject,
  foldKey,
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
});

/** The entries of a layout's index.json. */
export interface LayoutEntries {
  manifests: Descriptor[];
  /** Entries that name no content that could be read, unchanged. */
  unread: UnreadEntry[];
}

/** A layout's index.json (OCI image-spec, image-layout.md#indexjson-file). */
export interface LayoutIndex extends Index, LayoutEntries {}

/**
 * An entry with a digest of an unknown algorithm, or without what names content: a media type, a digest, a size. Its other
 * properties are not checked.
 */
export type UnreadEntry = Readonly<Partial<Record<string, unknown>>> | null;

/** The index.json of a layout without images. */
export const EMPTY_INDEX: LayoutIndex = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [], unread: [] };

/** A digest of any algorithm (OCI image-spec, descriptor.md#digests). */
const ANY_DIGEST = /^[a-z0-9]+(?:[+._-][a-z0-9]+)*:[\w=-]+$/;

/**
 * Reads a layout's index.json. Entries that name no content that could be read are kept apart.
 * @throws {@link DrayageError} `MALFORMED`; `LIMIT` beyond the run's budget
 */
export function parseLayoutIndex(bytes: Uint8Array, what: string): LayoutIndex {
  currentBudget()?.spendDocument(what, bytes);
  const index = parseLayoutEntries(bytes, what);
  currentBudget()?.spend('entries', index.manifests.length + index.unread.length);
  return index;
}

function parseLayoutEntries(bytes: Uint8Array, what: string): LayoutIndex {
  const json = parseJson(bytes, what);
  if (typeof json !== 'object' || json === null || !('manifests' in json) || !Array.isArray(json.manifests))
    return { ...checkDocument(indexSchema, json, what), unread: [] };
  const entries: unknown[] = json.manifests;
  const index = { ...json, manifests: entries.filter((entry) => !isUnread(entry)) };
  return { ...checkDocument(indexSchema, index, what), unread: entries.filter(isUnread) };
}

/** The text of an index.json; the unread entries come last. */
export function formatLayoutIndex({ unread, ...index }: LayoutIndex): string {
  return JSON.stringify({ ...index, manifests: [...index.manifests, ...unread] });
}

function isUnread(entry: unknown): entry is UnreadEntry {
  return entry === null || (isObject(entry) && reasonUnread(entry) !== undefined);
}

function isObject(value: unknown): value is Readonly<Partial<Record<string, unknown>>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** One line about an unread entry. */
export function noteUnread(entry: UnreadEntry): string {
  const digest = entry?.['digest'];
  const name = typeof digest === 'string' && digest !== '' ? digest.slice(0, 200) : 'an entry of index.json';
  return `${name} is skipped: ${entry === null ? 'it is null' : reasonUnread(entry)}`;
}

function reasonUnread(entry: Readonly<Partial<Record<string, unknown>>>): string | undefined {
  const { mediaType, digest, size } = entry;
  // A key in other spelling may be what another program reads.
  const known = new Set(['mediatype', 'digest', 'size']);
  if (Object.keys(entry).some((key) => known.has(foldKey(key)) && !/^(?:mediaType|digest|size)$/.test(key)))
    return undefined;
  if (isNothing(digest)) return 'it has no digest';
  if (typeof digest === 'string' && ANY_DIGEST.test(digest) && !/^sha(?:256|512):/.test(digest))
    return 'its digest algorithm is unknown';
  if (isNothing(mediaType)) return 'it has no media type';
  return isNothing(size) ? 'it has no size' : undefined;
}

function isNothing(value: unknown): boolean {
  return value === undefined || value === null || value === '';
}

/**
 * Parses an image index. `manifests: null`, which exists, is an empty list.
 * @throws {@link DrayageError} `MALFORMED`
 */
export function parseIndex(bytes: Uint8Array, what: string): Index {
  return parseDocument(indexSchema, bytes, what);
}

/** Writes an image index: compact JSON, keys in the order schemaVersion, mediaType, manifests. */
export function buildIndex(manifests: readonly Descriptor[]): Document {
  return toDocument(OCI_INDEX, JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests }));
}
