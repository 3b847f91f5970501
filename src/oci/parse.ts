import * as v from 'valibot';
import { DrayageError } from '../errors.ts';
import type { Digest } from './digest.ts';
import { isDigest } from './digest.ts';

/** The largest JSON document that is read whole, in bytes: manifests, indexes and configs. */
export const MAX_DOCUMENT_SIZE: number = 4 * 1024 * 1024;

/** A digest in a document. */
export const digestSchema: v.GenericSchema<unknown, Digest> = v.custom<Digest>(
  (text) => typeof text === 'string' && isDigest(text),
  'not a sha256 or sha512 digest',
);

/** A size in bytes: a whole number that JavaScript holds exactly, not negative. */
export const sizeSchema: v.GenericSchema<unknown, number> = v.pipe(
  v.number(),
  v.safeInteger(),
  v.minValue(0),
);

/** An optional property; `null` counts as absent, as in Go. */
export function optional<T>(schema: v.GenericSchema<unknown, T>): v.GenericSchema<unknown, T | undefined> {
  return v.pipe(
    v.nullish(schema),
    v.transform((value) => value ?? undefined),
  );
}

/** A required list; `null`, Go's empty list, is an empty list. */
export function list<T>(schema: v.GenericSchema<unknown, T>): v.GenericSchema<unknown, T[]> {
  return v.pipe(
    v.nullable(v.array(schema)),
    v.transform((items) => items ?? []),
  );
}

/** Annotations and labels. */
export const stringsSchema: v.GenericSchema<unknown, Record<string, string>> = v.record(
  v.string(),
  v.string(),
);

/** A key as Go programs compare it: without case, the long s (U+017F) as an s, the Kelvin sign (U+212A) as a k. */
export function foldKey(key: string): string {
  return key.toLowerCase().replaceAll('\u017F', 's');
}

/**
 * Schema of an object whose further properties are kept. A further property must not be one of its own in another
 * spelling (`Layers`): Go programs, such as docker and containerd, would read that one, and so something other than
 * what was checked.
 */
export function documentObject<const Entries extends v.ObjectEntries>(
  entries: Entries,
): v.GenericSchema<unknown, v.InferOutput<v.LooseObjectSchema<Entries, undefined>>> {
  const known = new Set(Object.keys(entries).map(foldKey));
  const isPlain = (key: string): boolean => Object.hasOwn(entries, key) || !known.has(foldKey(key));
  return v.pipe(
    v.looseObject(entries),
    v.check((value) => Object.keys(value).every(isPlain), 'a key in other spelling, which docker reads, too'),
  );
}

/**
 * Parses a JSON document and checks it against a schema.
 * @param what names the document in errors: `manifest.json`, `manifest sha256:…`
 * @throws {@link DrayageError} `MALFORMED` if the bytes are not UTF-8, not JSON, or do not match the schema
 */
export function parseDocument<T>(schema: v.GenericSchema<unknown, T>, bytes: Uint8Array, what: string): T {
  return checkDocument(schema, parseJson(bytes, what), what);
}

/**
 * Parses JSON, strictly as UTF-8 and without a byte order mark, which docker does not read either.
 * @throws {@link DrayageError} `MALFORMED`
 */
export function parseJson(bytes: Uint8Array, what: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)) as unknown;
  } catch (cause) {
    throw new DrayageError('MALFORMED', `${what} is not JSON`, { cause });
  }
}

/**
 * Checks a parsed value against a schema. The error names the failing key.
 * @throws {@link DrayageError} `MALFORMED`
 */
export function checkDocument<T>(schema: v.GenericSchema<unknown, T>, value: unknown, what: string): T {
  const result = v.safeParse(schema, value, { abortEarly: true });
  if (result.success) return result.output;
  const issue = result.issues[0];
  const where = v.getDotPath(issue);
  throw new DrayageError('MALFORMED', `${what}: ${where ? `${where}: ` : ''}${issue.message}`);
}

/** The media type that a document states for itself; undefined if it states none, or is not a JSON object. */
export function statedMediaType(bytes: Uint8Array): string | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString());
    const stated: unknown =
      typeof value === 'object' && value !== null && 'mediaType' in value ? value.mediaType : '';
    return typeof stated === 'string' && stated !== '' ? stated : undefined;
  } catch {
    return undefined;
  }
}
