import * as v from 'valibot';
import { DrayageError } from '../errors.ts';
import type { Digest } from './digest.ts';
import { isDigest } from './digest.ts';
import { parseIfJson, parseJson } from './json.ts';
import type { MatchOptions } from './match.ts';
import { match } from './match.ts';

/** The largest JSON document that is read whole, in bytes: manifests, indexes and configs. */
export const MAX_DOCUMENT_SIZE: number = 4 * 1024 * 1024;

/** A digest in a document. */
export const digestSchema: v.GenericSchema<unknown, Digest> = v.custom<Digest>(
  (text) => typeof text === 'string' && isDigest(text),
  'not a sha256 or sha512 digest',
);

const NO_SIZE = 'not a whole number of bytes';

/** A size in bytes: a whole number that JavaScript holds exactly, not negative. */
export const sizeSchema: v.GenericSchema<unknown, number> = v.pipe(
  v.number(NO_SIZE),
  v.check((size) => Number.isSafeInteger(size) && size >= 0, NO_SIZE),
);

/**
 * An optional property. `null` counts as absent, as in Go; so does an empty string or object that the schema does not
 * accept.
 */
export function optional<T>(schema: v.GenericSchema<unknown, T>): v.GenericSchema<unknown, T | undefined> {
  return v.pipe(
    v.optional(v.unknown()),
    v.transform((value) => (isNothing(value) && !v.is(schema, value) ? undefined : value)),
    v.optional(schema),
    v.transform((value) => value ?? undefined),
  );
}

/** The properties of a parsed object. */
export type Fields = Readonly<Partial<Record<string, unknown>>>;

/** Whether a parsed value is an object, and no list. */
export function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether a value says nothing: it is absent, `null`, or an empty text, object or list. */
export function isNothing(value: unknown): boolean {
  const isEmptyObject = typeof value === 'object' && value !== null && Object.keys(value).length === 0;
  return value === undefined || value === null || value === '' || isEmptyObject;
}

/** An optional text; an absent one is empty, as in Go. */
export const textSchema: v.GenericSchema<unknown, string> = v.optional(
  v.pipe(
    optional(v.string()),
    v.transform((text) => text ?? ''),
  ),
  '',
);

/** The version of manifests and indexes. Go reads an absent one, too. */
export const schemaVersion: v.GenericSchema<unknown, 2> = v.pipe(
  v.unknown(),
  v.transform((value) => (value === 0 || isNothing(value) ? 2 : value)),
  v.picklist([2]),
);

/** A type that may be stated; an empty one is not stated. */
export const optionalType: v.GenericSchema<unknown, string | undefined> = optional(
  v.pipe(v.string(), v.minLength(1)),
);

/** A required list; `null`, Go's empty list, is an empty list. */
export function list<T>(schema: v.GenericSchema<unknown, T>): v.GenericSchema<unknown, T[]> {
  return v.pipe(
    v.unknown(),
    v.transform((items) => (items === null ? [] : items)),
    v.array(schema),
  );
}

/** A list that may be absent: then it is empty. */
export function listOrNone<T>(schema: v.GenericSchema<unknown, T>): v.GenericSchema<unknown, T[]> {
  return v.optional(
    v.pipe(
      optional(v.array(schema)),
      v.transform((items) => items ?? []),
    ),
    [],
  );
}

/** An object, and no list. */
export const objectSchema: v.GenericSchema<unknown, Record<string, unknown>> = v.pipe(
  v.unknown(),
  v.check((value) => !Array.isArray(value), 'it is a list, not an object'),
  v.looseObject({}),
);

/** Annotations and labels. A `null` is an empty text, as in Go. */
export const stringsSchema: v.GenericSchema<unknown, Record<string, string>> = v.pipe(
  objectSchema,
  v.record(v.string(), textSchema),
);

/**
 * Parses a JSON document and checks it against a schema.
 * @param what names the document in errors: `manifest.json`, `manifest sha256:…`
 * @throws {@link DrayageError} `MALFORMED` if the bytes do not match the schema; as `parseJson`
 */
export function parseDocument<T>(schema: v.GenericSchema<unknown, T>, bytes: Uint8Array, what: string): T {
  return checkDocument(schema, parseJson(bytes, what), what);
}

/** As {@link parseDocument}, for documents of one schema. */
export function parserOf<T>(schema: v.GenericSchema<unknown, T>): (bytes: Uint8Array, what: string) => T {
  return (bytes, what) => parseDocument(schema, bytes, what);
}

/**
 * Checks a parsed value against a schema. The error names the failing key.
 * @throws {@link DrayageError} `MALFORMED`
 */
export function checkDocument<T>(
  schema: v.GenericSchema<unknown, T>,
  value: unknown,
  what: string,
  options: MatchOptions = {},
): T {
  const found = match(schema, value, options);
  if (found.problem === undefined) return found.value;
  throw new DrayageError('MALFORMED', `${what}: ${found.problem}`);
}

/**
 * The media type that a document states for itself; undefined if it states none, or is not a JSON object.
 * @throws {@link DrayageError} as `parseJson`, for JSON that it refuses
 */
export function statedMediaType(bytes: Uint8Array): string | undefined {
  const value = parseIfJson(bytes, 'a document');
  const stated = isObject(value) ? value['mediaType'] : undefined;
  return typeof stated === 'string' && stated !== '' ? stated : undefined;
}
