import * as v from 'valibot';
import type { Descriptor } from './descriptor.ts';
import type { Digest } from './digest.ts';
import { isDigest } from './digest.ts';
import { digestSchema, sizeSchema } from './parse.ts';

/** What a JSON document names, of whatever kind it is. */
export interface NamedContent {
  /** Every object that has the three properties of a descriptor, and of each just these. */
  descriptors: Descriptor[];
  /** Every text and every key that is a digest, those of the descriptors among them. */
  digests: Digest[];
}

const bareSchema: v.GenericSchema<unknown, Descriptor> = v.object({
  mediaType: v.string(),
  digest: digestSchema,
  size: sizeSchema,
});

/** Collects what a parsed JSON document of a kind that is not known names, at any depth. */
export function namedContent(document: unknown): NamedContent {
  const named: NamedContent = { descriptors: [], digests: [] };
  // No recursion: how deep a document goes is up to whoever wrote it.
  const left = [document];
  while (left.length > 0) {
    const value = left.pop();
    if (typeof value === 'string' && isDigest(value)) named.digests.push(value);
    if (typeof value !== 'object' || value === null) continue;
    const { success, output } = v.safeParse(bareSchema, value);
    if (success) named.descriptors.push(output);
    for (const [key, child] of Object.entries(value)) left.push(key, child);
  }
  return named;
}
