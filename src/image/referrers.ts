import type { ImageIndex } from '../content/image-index.ts';
import type { ContentOptions, ContentSource } from '../content/source.ts';
import { currentBudget } from '../budget.ts';
import { DrayageError } from '../errors.ts';
import type { ImageContents } from './contents.ts';
import { contentsOf } from './contents.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';

/** A referrer, and the content that it refers to. */
export interface Referrer {
  subject: Digest;
  /** With artifact type and annotations. */
  descriptor: Descriptor;
  contents: ImageContents;
}

/** The maximum number of referrers of one image. */
const MAX_REFERRERS = 1000;

/**
 * What refers to an image or to anything that it leads to, and what refers to that; each after what it refers to.
 * @param source holds what refers to it
 * @param index knows what does
 * @throws {@link DrayageError} `LIMIT`, and what `source` and `index` say of damaged content
 */
export async function referrersOf(
  source: ContentSource,
  index: Pick<ImageIndex, 'referrers'>,
  image: Pick<ImageContents, 'documents'>,
  { signal }: ContentOptions,
): Promise<Referrer[]> {
  const found = new Map<Digest, Referrer>();
  const queue = [image];
  // Goes on with what is found on the way.
  for (const { documents } of queue) {
    for (const { descriptor: subject } of documents) {
      for (const descriptor of await index.referrers(subject, { signal })) {
        if (found.has(descriptor.digest)) continue;
        if (found.size === MAX_REFERRERS) throw tooMany();
        currentBudget()?.spend('referrers', 1);
        const contents = await contentsOf(source, descriptor, { signal });
        found.set(descriptor.digest, { subject: subject.digest, descriptor, contents });
        queue.push(contents);
      }
    }
  }
  return [...found.values()];
}

function tooMany(): DrayageError {
  return new DrayageError('LIMIT', `more than ${MAX_REFERRERS} referrers of one image`);
}
