import * as v from 'valibot';
import { withKnownKeys } from './keys.ts';
import { objectSchema } from './parse.ts';

/**
 * Schema of an object in a file that programs in Go read beside this one, such as docker's configuration. Each known key
 * counts in any case, as in Go, and must not be there twice: those programs would read the last one. Documents of images
 * are stricter (`documentObject`). Replies that nobody else reads, and formats that other programs read by exact keys,
 * such as bundles of signatures, need neither.
 */
export function goObject<const Entries extends v.ObjectEntries>(
  entries: Entries,
): v.GenericSchema<unknown, v.InferOutput<v.LooseObjectSchema<Entries, undefined>>> {
  return v.pipe(
    objectSchema,
    v.transform((value) => withKnownKeys(value, Object.keys(entries))),
    v.check((value) => value !== undefined, 'a key is there twice, in different case'),
    v.looseObject(entries),
  );
}
