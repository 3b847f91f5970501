import * as v from 'valibot';
import { DrayageError } from '../errors.ts';
import type { Digest } from './digest.ts';
import { isDigest } from './digest.ts';

/** The largest JSON document that is read whole, in bytes: manifests, indexes and configs. */
export const MAX_DOCUMENT_SIZE: number = 4 * 1024 * 1024;

/** A digest as it stands in a document. */
export const digestSchema: v.GenericSchema<string, Digest> = v.pipe(
  v.string(),
  v.custom<Digest>((text) => typeof text === 'string' && isDigest(text), 'not a sha256 or sha512 digest'),
) as v.GenericSchema<string, Digest>;

/** A size in bytes: a whole number that JavaScript holds exactly, not negative. */
export const sizeSchema: v.GenericSchema<number> = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

/**
 * Reads a JSON document and holds it against a schema.
 * @param what names the document in errors: `manifest.json`, `manifest sha256:…`
 * @throws {@link DrayageError} `MALFORMED` where the bytes are no UTF-8, no JSON, or not of the schema
 */
export function parseDocument<T>(schema: v.GenericSchema<unknown, T>, bytes: Uint8Array, what: string): T {
  return checkDocument(schema, parseJson(bytes, what), what);
}

/**
 * Reads JSON, strictly as UTF-8.
 * @throws {@link DrayageError} `MALFORMED`
 */
export function parseJson(bytes: Uint8Array, what: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as unknown;
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
