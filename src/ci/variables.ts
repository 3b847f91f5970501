import { DrayageError } from '../errors.ts';
import type { Digest } from '../oci/digest.ts';
import { parseReference } from '../oci/reference.ts';
import { shellWords } from '../text/shell-word.ts';

/** The image that variables describe: it was saved or loaded. */
export interface ShippedImage {
  /** The first of its names; null if it has none. */
  name: string | null;
  /** The unique tag. */
  ref: string;
  /** The config digest. */
  id: Digest;
  /** The manifest's digest, or the index's. */
  digest: Digest;
}

/** One CI variable. */
export interface Variable {
  key: string;
  value: string;
}

/** Variables in the reverse order of dropping them for lack of room. */
export interface ImageVariables {
  /** The requested variables, and the reference of every image. */
  references: Variable[];
  ids: Variable[];
  digests: Variable[];
}

/** The ID variable of an image named `job`. For `load` and `fetch` this is an option that selects a job's artifact. */
const JOB_ID = 'DRAYAGE_JOB_ID';
/** The names of variables that CIs and shells accept. */
const KEY = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * The variables that carry images to other jobs: `DRAYAGE_<NAME>_REF`, `_ID` and `_DIGEST`. NAME is the repository
 * without its registry host, in upper case, with `_` for characters that a variable's name cannot contain.
 * @param wanted further variables, each `KEY` or `KEY=IMAGE`, with IMAGE by its name. The value is the reference; for a
 * key that ends with `_DIGEST` or `_ID` it is the digest or the ID. Without IMAGE there must be one image. An image
 * with such a variable may share its NAME with another image. If one key is requested twice, the last request counts.
 * Of several unnamed images, which would all share their NAME, only the first has unrequested variables
 * @throws {@link DrayageError} `USAGE` for an invalid variable; `AMBIGUOUS` if images would share one, or several could
 * be meant; `NOT_FOUND`
 */
export function imageVariables(
  images: readonly ShippedImage[],
  wanted: readonly string[] = [],
): ImageVariables {
  const byDigest = [...new Map(images.map((image) => [image.digest, image])).values()];
  const asked = [
    ...new Map(
      wanted.map((text) => askedVariable(text, byDigest)).map((found) => [found.key, found]),
    ).values(),
  ];
  const byName = new Map<string, ShippedImage>();
  for (const image of byDigest) {
    const name = variableName(image.ref);
    const other = byName.get(name);
    if (other === undefined) byName.set(name, image);
    else if (image.name !== null && !asked.some(({ image: { digest } }) => digest === image.digest))
      throw clash(name, [other, image]);
  }
  const keys = new Set(asked.map(({ key }) => key));
  const each = (suffix: string, of: (image: ShippedImage) => string): Variable[] =>
    [...byName]
      .map(([name, image]) => ({ key: `DRAYAGE_${name}_${suffix}`, value: of(image) }))
      .filter(({ key }) => !keys.has(key) && key !== JOB_ID);
  return {
    references: [...asked.map(({ key, value }) => ({ key, value })), ...each('REF', ({ ref }) => ref)],
    ids: each('ID', ({ id }) => id),
    digests: each('DIGEST', ({ digest }) => digest),
  };
}

/** Whether a variable has such a name as {@link imageVariables} gives to an image. */
export function isImageVariable(key: string): boolean {
  return key !== JOB_ID && /^DRAYAGE_\w+_(?:REF|ID|DIGEST)$/.test(key);
}

function variableName(ref: string): string {
  const { path } = parseReference(ref);
  return path
    .replace(/^library\//, '')
    .toUpperCase()
    .replaceAll(/[^A-Z0-9]/g, '_');
}

function askedVariable(text: string, images: readonly ShippedImage[]): Variable & { image: ShippedImage } {
  const [key = '', ...rest] = text.split('=');
  if (!KEY.test(key)) {
    throw new DrayageError('USAGE', `not the name of a variable: ${JSON.stringify(key)}`, {
      hint: 'use letters, digits and _',
    });
  }
  const image = rest.length === 0 ? onlyImage(key, images) : imageNamed(rest.join('='), images);
  const value = key.endsWith('_DIGEST') ? image.digest : key.endsWith('_ID') ? image.id : image.ref;
  return { key, value, image };
}

function onlyImage(key: string, images: readonly ShippedImage[]): ShippedImage {
  const [image, ...others] = images;
  if (image !== undefined && others.length === 0) return image;
  throw new DrayageError('AMBIGUOUS', `${key} needs one image, but there are ${images.length}`, {
    reason: 'VARIABLE_CHOICE',
    name: key,
    candidates: images.map(labelOf),
  });
}

function imageNamed(text: string, images: readonly ShippedImage[]): ShippedImage {
  const found = images.find(({ name, ref, id, digest }) => [name, ref, id, digest].includes(text));
  const candidates = images.map(labelOf);
  if (found !== undefined) return found;
  throw new DrayageError('NOT_FOUND', `no image ${JSON.stringify(text)} for a variable`, {
    candidates,
    hint: `there are ${shellWords(candidates)}`,
  });
}

function clash(name: string, [first, second]: [ShippedImage, ShippedImage]): DrayageError {
  const images = [labelOf(first), labelOf(second)];
  return new DrayageError('AMBIGUOUS', `${images.join(' and ')} would both be DRAYAGE_${name}_REF`, {
    candidates: images,
    reason: 'VARIABLE_CLASH',
  });
}

function labelOf({ name, ref }: ShippedImage): string {
  return name ?? ref;
}
