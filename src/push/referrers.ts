import type { ContentOptions } from '../content.ts';
import { DrayageError } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { ImagePlace } from '../selection.ts';

/** What refers to content, and to what. */
export interface Referrer {
  subject: Digest;
  /** With artifact type and annotations. */
  descriptor: Descriptor;
}

const MAX_REFERRERS = 1000;

/** Everything that refers to documents, and to what refers to them; each after what it refers to. */
export async function collectReferrers(
  place: ImagePlace,
  documents: readonly Descriptor[],
  options: ContentOptions,
): Promise<Referrer[]> {
  const found = new Map<Digest, Referrer>();
  const queue = [...documents];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    for (const descriptor of await place.referrers(next, options)) {
      if (found.has(descriptor.digest)) continue;
      found.set(descriptor.digest, { subject: next.digest, descriptor });
      queue.push(descriptor);
    }
    if (found.size > MAX_REFERRERS) {
      throw new DrayageError(
        'LIMIT',
        `more than ${MAX_REFERRERS} signatures and the like refer to one image`,
      );
    }
  }
  return [...found.values()];
}
