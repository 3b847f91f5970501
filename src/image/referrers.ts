import type { ImageIndex } from '../content/image-index.ts';
import type { ContentOptions, ContentSource } from '../content/source.ts';
import { DrayageError } from '../errors.ts';
import { walk } from './contents.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';

/** What refers to content, and to what. */
export interface Referrer {
  subject: Digest;
  /** With artifact type and annotations. */
  descriptor: Descriptor;
}

/** How many signatures and the like may refer to one image. */
const MAX_REFERRERS = 1000;

/**
 * What refers to a root or to anything that it leads to, and what refers to that; each after what it refers to.
 * @param source holds the root
 * @param index knows what refers to it; it may be of more places than that one
 * @throws {@link DrayageError} `LIMIT`, and what `source` and `index` say of damaged content
 */
export async function referrersOf(
  source: ContentSource,
  index: Pick<ImageIndex, 'referrers'>,
  root: Descriptor,
  options: ContentOptions,
): Promise<Referrer[]> {
  const found = new Map<Digest, Referrer>();
  const queue = [root];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    for await (const node of walk(source, next, options)) {
      if (node.kind !== 'index' && node.kind !== 'manifest') continue;
      const subject = node.document.descriptor;
      for (const descriptor of await index.referrers(subject, options)) {
        if (found.has(descriptor.digest)) continue;
        found.set(descriptor.digest, { subject: subject.digest, descriptor });
        queue.push(descriptor);
      }
    }
    if (found.size <= MAX_REFERRERS) continue;
    throw new DrayageError('LIMIT', `more than ${MAX_REFERRERS} signatures and the like refer to one image`);
  }
  return [...found.values()];
}
