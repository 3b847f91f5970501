import type { ImagePlace, StoredImage } from '../../content/image-index.ts';
import { nameOf, referenceTo } from '../../content/image-index.ts';
import type { ContentOptions, ContentSource } from '../../content/source.ts';
import { DrayageError } from '../../errors.ts';
import { BASE_NAME } from '../../oci/annotations.ts';
import type { Digest } from '../../oci/digest.ts';
import type { OpenRepository } from '../../image/base-image.ts';
import type { ImageReference } from '../../image/reference.ts';
import { omittedContent } from '../../image/omitted-content.ts';
import type { BaseOpeners, OpenJob } from '../../image/open-base.ts';
import { baseOpener } from '../../image/open-base.ts';
import type { Registries, TaggedRepository } from '../../registry/registries.ts';
import type { RegistryRepository } from '../../registry/repository.ts';
import { baseRepositories, isTarget } from './base-repositories.ts';
import { select, selectAny } from '../../select/select.ts';
import type { Selected, SelectedImage, SelectedReference, Selection } from '../../select/selection.ts';
import { isReferred } from '../../select/selection.ts';
import type { ImageContents } from '../../image/contents.ts';
import { contentsOf } from '../../image/contents.ts';
import type { Referrer } from '../../image/referrers.ts';
import { referrersOf } from '../../image/referrers.ts';
import { chooseReferrers, cosignTag } from './referrers.ts';
import { assertUnmoved } from './tags.ts';
import { shellWords } from '../../text/shell-word.ts';

/** An image with everything that is known before something is sent. */
export interface Planned extends SelectedImage {
  id: Digest;
  targets: TaggedRepository[];
  contents: ImageContents;
  referrers: PlannedReferrer[];
  /** Where omitted layers are read. */
  elsewhere: BaseOpeners & { others: readonly ContentSource[] };
  /** All of its content, with omitted layers from elsewhere. */
  source: ContentSource;
  /** The repository of its base, if the registry of a target has it: inside a registry, blobs are shared. */
  baseRepository: RegistryRepository | undefined;
}

/** What refers to an image and goes along. */
interface PlannedReferrer extends Referrer {
  /** By which it is found without a `subject`. */
  tag?: string;
}

/**
 * Opens the image of a reference, out of the daemon that has it.
 * @returns a place that holds this image, and no other
 */
export type OpenReference = (
  reference: ImageReference,
  image: StoredImage,
  options?: ContentOptions,
) => Promise<ImagePlace>;

/** Options of {@link plan}. */
export interface PlanOptions extends Omit<Selection, 'images' | 'as'> {
  from: readonly ImagePlace[];
  registries: Registries;
  openBase?: OpenRepository;
  /** Opens the artifact of an earlier job. Default: none is read. */
  openJob?: OpenJob | undefined;
  /** Opens the image of a reference, with its layers. Default: references are refused. */
  openReference?: OpenReference | undefined;
  ifAbsent?: boolean;
  /** Referrers to copy although nobody vouched for them. */
  attach?: readonly string[];
  /** Further places of blobs. */
  blobs?: readonly ContentSource[];
}

/**
 * Finds an image and its content, and asks for the current meaning of its tags.
 * @param image its name or digest; undefined means the only one
 * @param to references with tags
 * @throws {@link DrayageError} `USAGE`, `NOT_FOUND`, `AMBIGUOUS`, `POLICY`; `UNSAFE` if a tag would move that must not
 */
export async function plan(
  image: string | undefined,
  to: readonly string[],
  options: PlanOptions,
): Promise<Planned> {
  const { from, registries, signal } = options;
  const [found, ...others] = await selectAny(from, {
    ...options,
    images: image === undefined ? [] : [image],
  });
  if (found === undefined || others.length > 0) throw whichImage([found ?? [], others].flat());
  const placed = isReferred(found) ? await openReferred(found, options) : found;
  const targets: TaggedRepository[] = [];
  for (const reference of to) {
    const { repository, tag } = await registries.tagged(reference);
    targets.push({ repository, tag });
    if (options.ifAbsent !== true) continue;
    const was = await repository.describe(tag, { signal });
    assertUnmoved(`${repository.name}:${tag}`, was?.digest, placed.root.digest);
  }
  const id = placed.read[0].config.descriptor.digest;
  return { ...placed, id, targets, ...(await gather(placed, targets, options)) };
}

/**
 * The image of a reference, as the daemon has it, under the reference's names. What is attached to the reference is about
 * the reference, and stays.
 */
async function openReferred(
  { place, root, image, reference, vouchers }: SelectedReference,
  { openReference, onProgress, signal }: PlanOptions,
): Promise<SelectedImage> {
  const name = nameOf(image);
  if (openReference === undefined) {
    throw new DrayageError(
      'USAGE',
      `${name} is a reference: its layers stay in a daemon, which is not at hand`,
      {
        reason: 'REFERENCE_ONLY',
        hint: 'promote it beside that daemon',
      },
    );
  }
  const [opened, ...others] = await select([await openReference(reference, image, { signal })], { signal });
  const isThere = opened?.read.some(({ config }) => config.descriptor.digest === reference.id) === true;
  if (opened === undefined || others.length > 0 || !isThere) {
    throw new DrayageError('DIGEST_MISMATCH', `${name}: the daemon sent another image than ${reference.id}`, {
      expected: reference.id,
      digest: reference.id,
    });
  }
  const attached = await place.referrers(root, { signal });
  if (attached.length > 0) {
    const message = `${name}: ${attached.length} of what is attached to it stays here, as it is about the reference`;
    onProgress?.({ kind: 'note', message });
  }
  return { ...opened, image: { ...image, root: opened.image.root }, vouchers: vouchers && [] };
}

/** What an image leads to, what goes along with it, and where their blobs are. */
async function gather(
  placed: SelectedImage,
  targets: readonly TaggedRepository[],
  options: PlanOptions,
): Promise<Pick<Planned, 'contents' | 'referrers' | 'elsewhere' | 'source' | 'baseRepository'>> {
  const { content, root } = placed;
  const { annotations } = placed.image;
  const { from, registries, openJob, onProgress, signal, blobs = [] } = options;
  const contents = await contentsOf(content, root, { annotations, signal });
  const referrers = await chosenReferrers(placed, contents, options);
  const openRepository = baseRepositories(targets, options);
  const elsewhere = { others: [...blobs, ...from], openRepository, openJob };
  const { others } = elsewhere;
  const source = omittedContent(placed, { others, openBase: baseOpener(elsewhere), onProgress, signal });
  const base = contents.omitted.length > 0 ? annotations[BASE_NAME] : undefined;
  const isShared = base !== undefined && isTarget(base, targets);
  const baseRepository = isShared ? await registries.repository(base) : undefined;
  return { contents, referrers, elsewhere, source, baseRepository };
}

/** The referrers to copy with an image. */
async function chosenReferrers(
  { place, content, image, vouchers }: SelectedImage,
  contents: ImageContents,
  { attach = [], onProgress, signal }: PlanOptions,
): Promise<PlannedReferrer[]> {
  const all = await referrersOf(content, place, contents, { signal });
  const chosen = chooseReferrers(all, { vouchers, attach });
  const left = all.length - chosen.length;
  if (left > 0) {
    const message = `${nameOf(image)}: ${left} of what is attached to it stays here, as nobody vouched for it`;
    onProgress?.({ kind: 'note', message, reason: 'NOT_VOUCHED' });
  }
  return chosen.map((referrer) => {
    const hasSubject = referrer.contents.root.value.subject !== undefined;
    return { ...referrer, tag: hasSubject ? undefined : cosignTag(referrer.descriptor) };
  });
}

function whichImage(found: readonly Selected[]): DrayageError {
  const candidates = found.map(({ image }) => referenceTo(image));
  return new DrayageError('AMBIGUOUS', `one image at a time is promoted, and ${found.length} fit`, {
    candidates,
    hint: `there is ${shellWords(candidates.slice(0, 10))}`,
  });
}
