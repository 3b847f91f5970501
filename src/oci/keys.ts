import * as v from 'valibot';
import type { Fields } from './parse.ts';
import { objectSchema } from './parse.ts';

/** A key as Go programs compare it: without case, the long s (U+017F) as an s, the Kelvin sign (U+212A) as a k. */
export function foldKey(key: string): string {
  return key.toLowerCase().replaceAll('\u017F', 's');
}

/**
 * An object with its known keys as they are written here, whatever their case: for documents of programs in Go that need
 * not be those of one image. Other keys stay as they are.
 * @returns undefined if it has a known key twice, in different case
 */
export function withKnownKeys(object: Fields, known: readonly string[]): Fields | undefined {
  const keys = new Map(known.map((key) => [foldKey(key), key]));
  const entries = Object.entries(object).map(
    ([key, value]) => [keys.get(foldKey(key)) ?? key, value] as const,
  );
  const found = Object.fromEntries(entries);
  return Object.keys(found).length < entries.length ? undefined : found;
}

/**
 * Schema of an object whose further properties are kept. A further property must not be a known one in another spelling
 * (`Layers`), and no two may differ in case only: Go programs, such as docker and containerd, would read another one
 * than was checked.
 * @param others further keys that Go programs read
 */
export function documentObject<const Entries extends v.ObjectEntries>(
  entries: Entries,
  others: readonly string[] = [],
): v.GenericSchema<unknown, v.InferOutput<v.LooseObjectSchema<Entries, undefined>>> {
  const known = new Set([...Object.keys(entries), ...others]);
  const folded = new Set([...known].map(foldKey));
  const isPlain = (key: string): boolean => known.has(key) || !folded.has(foldKey(key));
  const haveOneMeaning = (keys: readonly string[]): boolean =>
    keys.every(isPlain) && new Set(keys.map(foldKey)).size === keys.length;
  return v.pipe(
    objectSchema,
    // Before the values: what another program reads in their place matters first.
    v.check(
      (value) => haveOneMeaning(Object.keys(value)),
      'a key in other spelling, which docker reads, too',
    ),
    v.looseObject(entries),
  );
}
