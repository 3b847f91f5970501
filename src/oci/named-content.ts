import * as v from 'valibot';
import type { Descriptor } from './descriptor.ts';
import type { Digest } from './digest.ts';
import { isDigest } from './digest.ts';
import { digestSchema, sizeSchema } from './parse.ts';

/** What a JSON document of any type names. */
export interface NamedContent {
  /** Every object with the three properties of a descriptor, reduced to these. */
  descriptors: Descriptor[];
  /** Every string and every key that is a digest, including those of the descriptors. */
  digests: Digest[];
}

const bareSchema: v.GenericSchema<unknown, Descriptor> = v.looseObject({
  mediaType: v.string(),
  digest: digestSchema,
  size: sizeSchema,
});

/** Collects what a parsed JSON document of an unknown type names, at any depth. */
export function namedContent(document: unknown): NamedContent {
  const named: NamedContent = { descriptors: [], digests: [] };
  // No recursion: the author of a document decides how deep it is.
  const left = [document];
  while (left.length > 0) {
    const value = left.pop();
    if (typeof value === 'string' && isDigest(value)) named.digests.push(value);
    if (typeof value !== 'object' || value === null) continue;
    const { success, output } = v.safeParse(bareSchema, value);
    if (success) named.descriptors.push(bare(output));
    for (const [key, child] of Object.entries(value)) left.push(key, child);
  }
  return named;
}

function bare({ mediaType, digest, size }: Descriptor): Descriptor {
  return { mediaType, digest, size };
}
