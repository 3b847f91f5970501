import type { ImagePlace, PlacedImage } from '../content/image-index.ts';
import { nameOf } from '../content/image-index.ts';
import type { ContentSource } from '../content/source.ts';
import { DrayageError, isDrayageError } from '../errors.ts';
import { noImage } from '../image/image.ts';
import { keepDocuments } from '../image/keep-documents.ts';
import { assertReadable } from '../image/layer-type.ts';
import { daemonTitle } from '../image/reference.ts';
import { matchesPlatform } from '../oci/platform.ts';
import { normalizeName } from '../oci/reference.ts';
import type { VouchedImage } from './by-name.ts';
import { combineByName, mergeByRoot } from './by-name.ts';
import { findByReference, findWhole } from './places.ts';
import type { JudgedImage } from './judge.ts';
import { judge } from './judge.ts';
import { ImageReader, ofImage } from './read.ts';
import { withLaterRuns } from './later-runs.ts';
import type { Selected, SelectedImage, Selection } from './selection.ts';
import { blobsOfLayers, isReferred } from './selection.ts';

/**
 * Selects images from several places and reads their documents. Images of several platforms under one name become one
 * multi-platform image, whose index need not be in any place. Policy and signature are checked here, before a layer is
 * read.
 * @throws {@link DrayageError} `USAGE` for a reference to an image in a daemon; `NOT_FOUND` if no place has an image, or has it for the platform; `POLICY` if no image
 * of a reference, or no image at all, may be used, or a required signature is missing; `AMBIGUOUS` if one name means
 * different images for one platform, or `as` would name several; `UNSUPPORTED` for a layer that cannot be read here
 */
export async function select(
  places: readonly ImagePlace[],
  selection: Selection = {},
): Promise<SelectedImage[]> {
  return wholeImages(await selectAny(places, selection));
}

/** As {@link select}. An image that stays in a daemon is selected as the reference to it. */
export async function selectAny(
  places: readonly ImagePlace[],
  selection: Selection = {},
): Promise<Selected[]> {
  const { as, signal } = selection;
  if (as !== undefined) normalizeName(as);
  const found = await combineByName(await findVouched(places, selection), { signal });
  const names = namesUnder(as, found.length);
  const named =
    names === undefined ? found : found.map((one) => ({ ...one, image: { ...one.image, names } }));
  const selected = await readEach(named, selection);
  for (const one of selected) assertLayersReadable(one);
  return selected;
}

/** Refuses an image with a layer that cannot be read here. Otherwise the receiver would get an unproven layer. */
export function assertLayersReadable(selected: Selected): void {
  if (isReferred(selected)) return;
  try {
    for (const blob of blobsOfLayers(selected)) assertReadable(blob);
  } catch (error) {
    throw ofImage(selected.image, error);
  }
}

/**
 * Selects images as {@link select} does, but keeps each as it is in its place: one name may stand for several. Its layers
 * may be of a kind that cannot be read here.
 * @throws {@link DrayageError} `NOT_FOUND`, `POLICY`
 */
export async function selectEach(
  places: readonly ImagePlace[],
  selection: Selection = {},
): Promise<SelectedImage[]> {
  return wholeImages(await selectEachAny(places, selection));
}

/** As {@link selectEach}. An image that stays in a daemon is selected as the reference to it. */
export async function selectEachAny(
  places: readonly ImagePlace[],
  selection: Selection = {},
): Promise<Selected[]> {
  return readEach(await findVouched(places, selection), selection);
}

/** Refuses references, because layers are needed. A reference is never left out: its image would be missing silently. */
function wholeImages(selected: readonly Selected[]): SelectedImage[] {
  return selected.map((one) => {
    if (!isReferred(one)) return one;
    const name = nameOf(one.image);
    const where = daemonTitle(one.reference.daemon);
    throw new DrayageError('USAGE', `${name} is a reference: its layers stay in docker of ${where}`, {
      reason: 'REFERENCE_ONLY',
      digest: one.reference.id,
      hint: 'load or promote it beside that daemon, or save its layers, too',
    });
  });
}

/**
 * The names of all images that may be used. A refused image gets a note, unless its name is among them: then the
 * selection by that name reports it. An image without a name gets a note, too.
 * @throws {@link DrayageError} `NOT_FOUND` if none has a name, `POLICY` if no image may be used
 */
export async function permittedNames(
  places: readonly ImagePlace[],
  { onProgress, signal, policy, authenticate }: Selection,
): Promise<string[]> {
  const found = await findWhole(places, { onProgress, signal, authenticate });
  const all = await judge(found, { authenticate, policy, signal });
  const chosen = permitted(all, { policy });
  const names = new Set(chosen.flatMap(({ image }) => image.names));
  const others = all.filter(({ image }) => !image.names.some((name) => names.has(name)));
  permitted([...new Set([...chosen, ...others])], { policy, onProgress });
  for (const { image } of chosen) {
    const message = `${nameOf(image)} is skipped: it has no name`;
    if (image.names.length === 0) onProgress?.({ kind: 'note', message });
  }
  if (names.size === 0) throw new DrayageError('NOT_FOUND', 'no image in the layouts has a name');
  return [...names];
}

/**
 * Why an image may not be used, by policy and signature; undefined if it may. An image whose documents cannot be read
 * is judged by its annotations and its signature.
 */
export async function refusalOf(
  { place, image }: PlacedImage,
  { policy, authenticate, signal }: Selection,
): Promise<DrayageError | undefined> {
  let isPermitted = false;
  try {
    const judged = await judge([{ place, image }], { authenticate, policy, signal });
    for (const { refusal } of permitted(judged, { policy })) if (refusal !== undefined) return refusal;
    isPermitted = true;
    if (policy !== undefined) await new ImageReader({ policy, signal }).readAny(place, image);
  } catch (error) {
    if (!isDrayageError(error)) throw error;
    if (!isPermitted || isDrayageError(error, 'POLICY')) return error;
  }
  return undefined;
}

/**
 * Finds images, each once. The signature of each is checked separately, because nobody signed their combination. An
 * image whose signature is refused stands in the way only if it is chosen.
 */
async function findVouched(places: readonly ImagePlace[], selection: Selection): Promise<VouchedImage[]> {
  const { images = [] } = selection;
  const lists =
    images.length === 0
      ? [await judge(await findWhole(places, selection), selection)]
      : await findEach(places, images, selection);
  const found = lists.flatMap((list) => permitted(forPlatform(list, selection), selection));
  if (found.length === 0) throw nothing();
  const refused = found.find(({ refusal }) => refusal !== undefined);
  if (refused?.refusal !== undefined) throw refused.refusal;
  return mergeByRoot(found);
}

/** The images of each reference, with later runs of their jobs that were signed under the same name. */
async function findEach(
  places: readonly ImagePlace[],
  references: readonly string[],
  selection: Selection,
): Promise<JudgedImage[][]> {
  const { onProgress, signal } = selection;
  const lists = await Promise.all(
    references.map((reference) => findByReference(places, reference, { onProgress, signal })),
  );
  const judged = await Promise.all(lists.map((list) => judge(list, selection)));
  return withLaterRuns(places, references, judged, selection);
}

/** Drops images that state another platform, unless their name exists for no other: that is reported later. */
function forPlatform(found: readonly JudgedImage[], { platform }: Selection): readonly JudgedImage[] {
  if (platform === undefined) return found;
  const fits = ({ image: { root } }: PlacedImage): boolean =>
    root.platform === undefined || matchesPlatform(platform, root.platform);
  const names = new Set(found.filter(fits).flatMap(({ image }) => image.names));
  return found.filter((one) => fits(one) || !one.image.names.some((name) => names.has(name)));
}

function permitted<T extends PlacedImage>(
  found: readonly T[],
  { policy, onProgress }: Pick<Selection, 'policy' | 'onProgress'>,
): readonly T[] {
  if (policy === undefined) return found;
  const chosen = new Set(
    policy.choose(
      found.map(({ image }) => image),
      (message) => onProgress?.({ kind: 'note', message }),
    ),
  );
  return found.filter(({ image }) => chosen.has(image));
}

/**
 * The names for the images, if one was requested; undefined if they keep theirs.
 * @throws {@link DrayageError} `USAGE` for an invalid name; `AMBIGUOUS` if there are several images
 */
export function namesUnder(as: string | undefined, count: number): string[] | undefined {
  if (as === undefined || count === 1) return as === undefined ? undefined : [normalizeName(as)];
  throw new DrayageError('AMBIGUOUS', `a name for one image, but there are ${count}`, {
    reason: 'SEVERAL_IMAGES',
    hint: 'choose one',
  });
}

/** Reads the documents of images. What was asked for has to be an image; anything else is skipped. */
async function readEach(found: readonly VouchedImage[], selection: Selection): Promise<Selected[]> {
  const { images = [], platform, onProgress } = selection;
  const reader = new ImageReader(selection);
  const selected: Selected[] = [];
  const contents = new Map<ImagePlace, ContentSource>();
  for (const one of found) {
    const content = contents.get(one.place) ?? keepDocuments(one.place);
    contents.set(one.place, content);
    const read = await reader.readAny(content, one.image);
    if (read !== undefined) {
      selected.push({ ...one, ...read, content });
    } else if (images.length > 0) {
      throw noImage(one.image.root, [], platform, nameOf(one.image));
    } else {
      onProgress?.({ kind: 'note', message: `${nameOf(one.image)} is skipped: it is not an image` });
    }
  }
  if (selected.length === 0) throw nothing();
  return selected;
}

function nothing(): DrayageError {
  return new DrayageError('NOT_FOUND', 'the layout contains no image', {
    hint: 'save an image into it first',
  });
}
