import type { ContentSource } from '../../content/source.ts';
import { DrayageError } from '../../errors.ts';
import { BASE_DIGEST, BASE_NAME } from '../../oci/annotations.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Registries, TaggedRepository } from '../../registry/registries.ts';
import type { ImagePlace } from '../../content/image-index.ts';
import { select } from '../../select/select.ts';
import type { SelectedImage, Selection } from '../../select/selection.ts';
import { readParts } from './parts.ts';
import type { Cargo } from './push.ts';
import { referrersOf } from '../../image/referrers.ts';
import { chooseReferrers, cosignTag } from './referrers.ts';
import { assertUnmoved } from './tags.ts';

/** An image with all that is known before something is sent. */
export interface Planned extends SelectedImage {
  id: Digest;
  targets: TaggedRepository[];
  cargo: Cargo;
}

/** Options of {@link plan}. */
export interface PlanOptions extends Omit<Selection, 'images' | 'as'> {
  from: readonly ImagePlace[];
  registries: Registries;
  ifAbsent?: boolean;
  /** What goes along although nobody vouched for it. */
  attach?: readonly string[];
  /** Where else blobs may be. */
  blobs?: readonly ContentSource[];
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
  const { from, registries, signal } = options;
  const [placed, ...others] = await select(from, { ...options, images: image === undefined ? [] : [image] });
  if (placed === undefined || others.length > 0) throw whichImage([placed ?? [], others].flat());
  const targets: TaggedRepository[] = [];
  for (const reference of to) {
    const { repository, tag } = await registries.tagged(reference);
    targets.push({ repository, tag });
    if (options.ifAbsent !== true) continue;
    const was = await repository.describe(tag, { signal });
    assertUnmoved(`${repository.name}:${tag}`, was?.digest, placed.root.digest);
  }
  const id = placed.read[0].config.descriptor.digest;
  return { ...placed, id, targets, cargo: await load(placed, options) };
}

async function load(placed: SelectedImage, options: PlanOptions): Promise<Cargo> {
  const { place, image, root } = placed;
  const { from, signal, registries, blobs = [] } = options;
  const parts = await readParts(place, root, image.annotations, { signal });
  const referrers = await loadReferrers(placed, options);
  const base = image.annotations[BASE_NAME];
  const bases = parts.omitted.size > 0 && base !== undefined ? [await registries.repository(base)] : [];
  const baseDigest = image.annotations[BASE_DIGEST];
  const named = base === undefined || baseDigest === undefined ? base : `${base}@${baseDigest}`;
  return { ...parts, referrers, sources: [place, ...blobs, ...from, ...bases], base: named };
}

/** What goes along with an image. */
async function loadReferrers(
  { place, image, root, vouchers }: SelectedImage,
  { attach = [], onProgress, signal }: PlanOptions,
): Promise<Cargo['referrers']> {
  const all = await referrersOf(place, place, root, { signal });
  const chosen = chooseReferrers(all, { vouchers, attach });
  const left = all.length - chosen.length;
  if (left > 0) {
    const name = image.names[0] ?? root.digest;
    const message = `${name}: ${left} of what is attached to it stays here, as nobody vouched for it`;
    onProgress?.({ kind: 'note', message, reason: 'NOT_VOUCHED' });
  }
  const loaded: Cargo['referrers'] = [];
  for (const referrer of chosen) {
    const parts = await readParts(place, referrer.descriptor, {}, { signal });
    const hasSubject = parts.documents.at(-1)?.value.subject !== undefined;
    loaded.push({ referrer, parts, tag: hasSubject ? undefined : cosignTag(referrer.descriptor) });
  }
  return loaded;
}

function whichImage(found: readonly SelectedImage[]): DrayageError {
  const candidates = found.map(({ image }) => image.names[0] ?? image.root.digest);
  return new DrayageError('AMBIGUOUS', `which image is to be promoted? there are ${found.length}`, {
    candidates,
    hint: `there is ${candidates.slice(0, 10).join(', ')}`,
  });
}
