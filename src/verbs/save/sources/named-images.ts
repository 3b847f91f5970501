import type { ListOptions, StoredImage } from '../../../content/image-index.ts';
import { referenceTo } from '../../../content/image-index.ts';
import type { ContentOptions } from '../../../content/source.ts';
import type { ImageStore } from '../../../content/store.ts';
import { DrayageError } from '../../../errors.ts';
import { images, isUnreadable } from '../../../image/image.ts';
import type { Digest } from '../../../oci/digest.ts';
import { isReference, looksLikeImageId, parseReference, taggedName } from '../../../oci/reference.ts';
import { select } from '../../../select/select.ts';
import type { Selection } from '../../../select/selection.ts';
import type { BuiltImage } from './built.ts';
import { findBuilt, findImage } from './built.ts';
import { shellWords } from '../../../text/shell-word.ts';

/** Which images of a store are meant. */
interface Wanted extends Pick<Selection, 'images' | 'onProgress' | 'signal'> {
  built?: readonly BuiltImage[] | undefined;
}

/**
 * Finds the images of a store that are named: by a name or digest, or by the metadata of a build. A digest below an index names
 * the whole entry, so that its attestations stay. `NAME@DIGEST` also gives the name, and so does a name that no image has if the
 * store's only image has none.
 * @returns further names for each, by the digest of its root
 * @throws {@link DrayageError} `USAGE` if nothing is named; `NOT_FOUND`; `AMBIGUOUS` if a name means several images for one
 * platform
 */
export async function findNamed(
  store: ImageStore,
  listed: readonly StoredImage[],
  { images: texts = [], built = [], onProgress, signal }: Wanted,
): Promise<Map<Digest, string[]>> {
  if (texts.length === 0 && built.length === 0) throw nothingNamed(listed, store);
  const named = new Map<Digest, string[]>();
  const add = async (root: Digest, names: readonly string[]): Promise<void> => {
    const entry = await entryOf(store, listed, root, { signal });
    named.set(entry, [...(named.get(entry) ?? []), ...names]);
  };
  for (const text of texts) {
    const { roots, names } = await findText(store, listed, text, { onProgress, signal });
    for (const root of roots) await add(root, names);
  }
  for (const [root, names] of await findBuilt(store, built, { onProgress, signal })) await add(root, names);
  return named;
}

async function findText(
  store: ImageStore,
  listed: readonly StoredImage[],
  text: string,
  { onProgress, ...options }: ListOptions,
): Promise<{ roots: Digest[]; names: string[] }> {
  const unnamed = onlyUnnamed(listed, text);
  const found = await (unnamed === undefined
    ? store.resolve(text, options)
    : findImage(store, text, options));
  const name = nameIn(text);
  if (found === undefined) {
    const message = `the only image of ${store.location} has no name: it gets the name ${name.join()}`;
    onProgress?.({ kind: 'note', message });
    return { roots: unnamed === undefined ? [] : [unnamed.root.digest], names: name };
  }
  // Refuses several images for one platform.
  if (found.length > 1) await select([store], { images: [text], ...options });
  const isByDigest = isReference(text) && parseReference(text).digest !== undefined;
  return { roots: found.map(({ root }) => root.digest), names: isByDigest ? name : [] };
}

/** The only image, if it has no name, and the text may be one. */
function onlyUnnamed([only, ...others]: readonly StoredImage[], text: string): StoredImage | undefined {
  const isOnly = only !== undefined && others.length === 0 && only.names.length === 0;
  return isOnly && taggedName(text) !== undefined && !looksLikeImageId(text) ? only : undefined;
}

/** The name in a reference, without its digest. */
function nameIn(text: string): string[] {
  const name = isReference(text) ? taggedName(text.split('@')[0] ?? '') : undefined;
  return name === undefined ? [] : [name];
}

/** The image whose index, manifest or config has this digest. */
async function entryOf(
  store: ImageStore,
  listed: readonly StoredImage[],
  digest: Digest,
  options: ContentOptions,
): Promise<Digest> {
  if (listed.some(({ root }) => root.digest === digest)) return digest;
  for (const { root } of listed) {
    try {
      for await (const { manifest } of images(store, root, options))
        if (manifest.descriptor.digest === digest) return root.digest;
    } catch (error) {
      // Damage to other images does not matter here.
      if (!isUnreadable(error)) throw error;
    }
  }
  return digest;
}

function nothingNamed(listed: readonly StoredImage[], { location: path }: ImageStore): DrayageError {
  const candidates = listed.map(referenceTo);
  return new DrayageError('USAGE', `nothing says which images of ${path} this job built`, {
    path,
    candidates,
    reason: 'NOTHING_NAMED',
    hint:
      candidates.length > 0
        ? `there is ${shellWords(candidates.slice(0, 3))}`
        : 'the layout contains no image',
  });
}
