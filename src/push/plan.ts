import type { Authenticate, ContentOptions, ContentSource, ImagePolicy } from '../content.ts';
import { DrayageError } from '../errors.ts';
import { readImage } from '../image.ts';
import { BASE_DIGEST, BASE_NAME } from '../oci/annotations.ts';
import type { Digest } from '../oci/digest.ts';
import type { OnProgress } from '../progress.ts';
import type { Registries, TaggedRepository } from '../registry/registries.ts';
import type { ImagePlace, PlacedImage } from '../selection.ts';
import { selectImages } from '../selection.ts';
import { readParts } from './parts.ts';
import type { Cargo } from './push.ts';
import { collectReferrers } from './referrers.ts';
import { assertUnmoved } from './tags.ts';

/** An image with all that is known before something is sent. */
export interface Planned extends PlacedImage {
  id: Digest;
  targets: TaggedRepository[];
  cargo: Cargo;
}

/** Options of {@link plan}. */
export interface PlanOptions extends ContentOptions {
  from: readonly ImagePlace[];
  registries: Registries;
  policy?: ImagePolicy | undefined;
  authenticate?: Authenticate | undefined;
  ifAbsent?: boolean | undefined;
  /** Where else blobs may be. */
  blobs?: readonly ContentSource[] | undefined;
  onProgress?: OnProgress | undefined;
}

/**
 * Finds an image and what it consists of, and asks what its tags mean now.
 * @param image its name or digest; undefined means the only one
 * @param to references with tags
 * @throws {@link DrayageError} `USAGE`, `NOT_FOUND`, `AMBIGUOUS`, `POLICY`; `UNSAFE` where a tag would move that must not
 */
export async function plan(
  image: string | undefined,
  to: readonly string[],
  options: PlanOptions,
): Promise<Planned> {
  const { from, policy, authenticate, registries, signal, onProgress } = options;
  const onNote = (message: string): void => onProgress?.({ kind: 'note', message });
  const references = image === undefined ? [] : [image];
  const [placed, ...others] = await selectImages(from, references, { policy, authenticate, onNote, signal });
  if (placed === undefined || others.length > 0) throw whichImage([placed ?? [], others].flat());
  const { config } = await readImage(placed.place, placed.image.root, { signal });
  policy?.check(placed.image, config.value);
  const targets: TaggedRepository[] = [];
  for (const reference of to) {
    const { repository, tag } = await registries.tagged(reference);
    targets.push({ repository, tag });
    if (options.ifAbsent !== true) continue;
    const was = await repository.describe(tag, { signal });
    assertUnmoved(`${repository.name}:${tag}`, was?.digest, placed.image.root.digest);
  }
  return { ...placed, id: config.descriptor.digest, targets, cargo: await load(placed, options) };
}

async function load({ place, image }: PlacedImage, options: PlanOptions): Promise<Cargo> {
  const { from, signal, registries, blobs = [] } = options;
  const parts = await readParts(place, image.root, image.annotations, { signal });
  const documents = parts.documents.map(({ descriptor }) => descriptor);
  const referrers = [];
  for (const referrer of await collectReferrers(place, documents, { signal })) {
    referrers.push({ referrer, parts: await readParts(place, referrer.descriptor, {}, { signal }) });
  }
  const base = image.annotations[BASE_NAME];
  const bases = parts.omitted.size > 0 && base !== undefined ? [await registries.repository(base)] : [];
  const baseDigest = image.annotations[BASE_DIGEST];
  const named = base === undefined || baseDigest === undefined ? base : `${base}@${baseDigest}`;
  return { ...parts, referrers, sources: [place, ...blobs, ...from, ...bases], base: named };
}

function whichImage(found: readonly PlacedImage[]): DrayageError {
  const candidates = found.map(({ image }) => image.names[0] ?? image.root.digest);
  return new DrayageError('AMBIGUOUS', `which image is to be promoted? there are ${found.length}`, {
    candidates,
    hint: `there is ${candidates.slice(0, 10).join(', ')}`,
  });
}
