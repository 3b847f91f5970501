import type { ResolvedImages, StoredImage } from '../content/image-index.ts';
import type { ContentOptions, ContentSource } from '../content/source.ts';
import { DrayageError, isDrayageError } from '../errors.ts';
import { images, isUnreadable } from '../image/image.ts';
import type { ImageReference } from '../image/reference.ts';
import { readReference } from '../image/reference.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { digestHex, isDigest } from '../oci/digest.ts';
import { isUniqueReference, uniqueHex } from './unique-reference.ts';
import { isReference, parseReference } from '../oci/reference.ts';
import type { ListedImage } from './entries.ts';
import { bare } from './entries.ts';
import { familiar } from './names.ts';
import { nearest } from './nearest.ts';
import { isReferrer } from './referrers.ts';
import { shellWords } from '../text/shell-word.ts';

/** A digest or its first digits, with or without its algorithm. */
const SHORT_DIGEST = /^(?:sha256:[0-9a-f]{7,64}|sha512:[0-9a-f]{7,128}|[0-9a-f]{7,128})$/;

/**
 * Resolves a reference among entries. In this order: by a full digest (of a root, of a manifest inside an index, of a
 * config), by name, by another tool's word, by unique tag, by seven or more digits of a digest. A manifest that is found
 * inside an index gets the index's names. Signatures and other referrers are not found.
 * @throws {@link DrayageError} `AMBIGUOUS`
 */
export async function resolveImage(
  content: ContentSource,
  listed: readonly ListedImage[],
  reference: string,
  options: ContentOptions = {},
): Promise<ResolvedImages | undefined> {
  const digest = digestIn(reference);
  if (digest !== undefined) {
    const root = listed.find((image) => image.root.digest === digest);
    if (root !== undefined) return (await isReferrer(content, root.root, options)) ? undefined : [bare(root)];
  } else {
    const named = byName(listed, reference);
    if (named !== undefined) return named;
    const unique = await byUniqueTag(content, listed, reference, options);
    if (unique !== undefined) return [unique];
  }
  const prefix = digest ?? shortDigestIn(reference);
  const found = prefix === undefined ? undefined : await byDigest(content, listed, prefix, options);
  return found && [found];
}

/** Whether a reference that is not a listed name may be that of an image by a digest, as {@link resolveImage} reads it. */
export function meansDigest(reference: string): boolean {
  const digest = digestIn(reference) ?? shortDigestIn(reference) ?? uniqueHex(reference);
  return digest !== undefined;
}

/** The error for an absent image, with the names of the present ones. */
export function notFound(reference: string, listed: readonly ListedImage[], path: string): DrayageError {
  const names = listed.flatMap((image) => [...image.names, ...image.foreign]);
  const nameless = listed.filter((image) => image.names.length === 0 && image.foreign.length === 0);
  const candidates = nearest(familiar(reference), [...names, ...nameless.map(({ root }) => root.digest)]);
  const hint =
    candidates.length > 0 ? `there is ${shellWords(candidates.slice(0, 3))}` : 'the layout contains no image';
  const message = `no image ${JSON.stringify(reference)} in the layout ${path}`;
  return new DrayageError('NOT_FOUND', message, { path, candidates, hint });
}

/** All images that share a name. Another tool's word must mean one image. */
function byName(listed: readonly ListedImage[], reference: string): ResolvedImages | undefined {
  const name = familiar(reference);
  const [named, ...others] = listed.filter((image) => image.names.includes(name));
  if (named !== undefined) return [bare(named), ...others.map(bare)];
  const foreign = listed.filter((image) => image.foreign.includes(reference));
  if (foreign.length > 1)
    throw ambiguous(
      reference,
      foreign.map(({ root }) => root.digest),
    );
  const [only] = foreign;
  return only && [{ ...bare(only), foundAs: [reference] }];
}

async function byUniqueTag(
  source: ContentSource,
  listed: readonly ListedImage[],
  reference: string,
  options: ContentOptions,
): Promise<StoredImage | undefined> {
  const hex = uniqueHex(reference);
  if (hex === undefined) return undefined;
  const named = listed.filter((image) => isUniqueReference(familiar(reference), image));
  return byDigest(source, named, hex, options);
}

/** By the first digits of a digest; a shortened digest must be unique. Damage matters only if nothing else is found. */
async function byDigest(
  source: ContentSource,
  listed: readonly ListedImage[],
  prefix: string,
  options: ContentOptions,
): Promise<StoredImage | undefined> {
  const fits = (digest: Digest): boolean => digest.startsWith(prefix) || digestHex(digest).startsWith(prefix);
  const found = new Map<Digest, StoredImage>();
  const damage: DrayageError[] = [];
  for (const image of listed) {
    if (fits(image.root.digest) && !(await isReferrer(source, image.root, options)))
      note(found, image.root.digest, bare(image));
    let isImage = false;
    for await (const { manifest, config } of presentImages(
      source,
      image.root,
      options,
      (error) => void damage.push(error),
    )) {
      isImage = true;
      const one = manifest.descriptor.digest === image.root.digest ? image.root : manifest.descriptor;
      for (const digest of [manifest.descriptor.digest, config.descriptor.digest]) {
        if (fits(digest)) note(found, digest, { ...bare(image), root: one });
      }
    }
    const reference = isImage ? undefined : await presentReference(source, image.root, options);
    if (reference !== undefined && (fits(reference.id) || fits(reference.image)))
      note(found, reference.id, bare(image));
  }
  if (found.size === 0 && damage[0] !== undefined) throw damage[0];
  const roots = new Set([...found.values()].map(({ root }) => root.digest));
  if (found.size > 1 && roots.size > 1) throw ambiguous(prefix, [...found.keys()]);
  return found.values().next().value;
}

/** The first image of a digest represents it: the others hold the same. */
function note(found: Map<Digest, StoredImage>, digest: Digest, image: StoredImage): void {
  if (!found.has(digest)) found.set(digest, image);
}

/** The images of a root that are present; empty if the root itself is absent. */
async function* presentImages(
  source: ContentSource,
  root: Descriptor,
  options: ContentOptions,
  onDamaged: (error: DrayageError) => void,
): ReturnType<typeof images> {
  try {
    if (await source.has(root, options)) yield* images(source, root, options);
  } catch (error) {
    // What the walk reached has been searched.
    if (!isDrayageError(error) || !(isUnreadable(error) || error.code === 'LINK')) throw error;
    if (!isDrayageError(error, 'UNSUPPORTED', 'NOT_FOUND')) onDamaged(error);
  }
}

/** The reference that a root is, if it can be read. */
async function presentReference(
  source: ContentSource,
  root: Descriptor,
  options: ContentOptions,
): Promise<ImageReference | undefined> {
  try {
    return await readReference(source, root, options);
  } catch (error) {
    if (!isUnreadable(error) && !isDrayageError(error, 'LINK')) throw error;
    return undefined;
  }
}

/** A digest, or that in `temp@sha256:…`. */
function digestIn(reference: string): Digest | undefined {
  if (isDigest(reference)) return reference;
  return isReference(reference) ? parseReference(reference).digest : undefined;
}

function shortDigestIn(reference: string): string | undefined {
  return SHORT_DIGEST.exec(reference)?.[0];
}

function ambiguous(reference: string, candidates: string[]): DrayageError {
  return new DrayageError('AMBIGUOUS', `${JSON.stringify(reference)} fits ${candidates.length} images`, {
    candidates,
    hint: `choose one of ${shellWords(candidates)}`,
  });
}
