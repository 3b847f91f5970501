import * as v from 'valibot';
import { DrayageError } from '../errors.ts';
import type { Digest } from './digest.ts';
import { isDigest } from './digest.ts';

/** The largest JSON document that is read whole, in bytes: manifests, indexes and configs. */
export const MAX_DOCUMENT_SIZE: number = 4 * 1024 * 1024;

/** A digest as it stands in a document. */
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

/** A property that may be missing; `null` reads as missing, as it does in Go. */
export function optional<T>(schema: v.GenericSchema<unknown, T>): v.GenericSchema<unknown, T | undefined> {
  return v.pipe(
    v.nullish(schema),
    v.transform((value) => value ?? undefined),
  );
}

/** A list that must be there; `null`, as Go writes an empty one, reads as empty. */
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

/** A key as programs in Go compare it: without case, the long s (U+017F) as an s, the Kelvin sign (U+212A) as a k. */
export function foldKey(key: string): string {
  return key.toLowerCase().replaceAll('\u017F', 's');
}

/**
 * Schema of an object whose further properties are kept. None of them may be one of its own in other spelling (`Layers`): programs
 * in Go, such as docker and containerd, would read that one, and so something else than what was checked.
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
 * Reads a JSON document and holds it against a schema.
 * @param what names the document in errors: `manifest.json`, `manifest sha256:…`
 * @throws {@link DrayageError} `MALFORMED` where the bytes are no UTF-8, no JSON, or not of the schema
 */
export function parseDocument<T>(schema: v.GenericSchema<unknown, T>, bytes: Uint8Array, what: string): T {
  return checkDocument(schema, parseJson(bytes, what), what);
}

/**
 * Reads JSON, strictly as UTF-8 and without a byte order mark, which docker does not read either.
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
 * Holds a parsed value against a schema and says at which key it fails.
 * @throws {@link DrayageError} `MALFORMED`
 */
export function checkDocument<T>(schema: v.GenericSchema<unknown, T>, value: unknown, what: string): T {
  const result = v.safeParse(schema, value, { abortEarly: true });
  if (result.success) return result.output;
  const issue = result.issues[0];
  const where = v.getDotPath(issue);
  throw new DrayageError('MALFORMED', `${what}: ${where ? `${where}: ` : ''}${issue.message}`);
}

/** The media type that a document states of itself; undefined where it is no JSON object or states none. */
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
