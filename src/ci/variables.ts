import { DrayageError } from '../errors.ts';
import type { Digest } from '../oci/digest.ts';
import { parseReference } from '../oci/reference.ts';

/** What variables are made of: an image that was saved or loaded. */
export interface ShippedImage {
  /** The first of its names; null where it has none. */
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

/** Variables in the order in which they are given up when there is no room for all. */
export interface ImageVariables {
  /** Those that were asked for by name, and the reference of every image. */
  references: Variable[];
  ids: Variable[];
  digests: Variable[];
}

/** What an image named `job` would have for its ID says to `load` and `fetch` which job's artifact to take. */
const JOB_ID = 'DRAYAGE_JOB_ID';
/** What CIs and shells take as a variable's name. */
const KEY = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * The variables that carry images to other jobs: `DRAYAGE_<NAME>_REF`, `_ID` and `_DIGEST`, where NAME is the repository
 * without its registry host, in upper case, with `_` for what a variable's name cannot hold.
 * @param wanted further variables, each `KEY` or `KEY=IMAGE`, IMAGE by its name: of the reference, or by the end of the key of
 * the `_DIGEST` or the `_ID`. Without an image it is the only one. An image that has got a variable so may share its NAME.
 * Of one key asked for twice the last counts. Of several images without a name only the first has variables that were not
 * asked for, since all would share theirs
 * @throws {@link DrayageError} `USAGE` for what is no variable; `AMBIGUOUS` where images would share one, or where there are
 * several to choose from; `NOT_FOUND`
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
    throw new DrayageError('USAGE', `no name of a variable: ${JSON.stringify(key)}`, {
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
  throw new DrayageError('AMBIGUOUS', `${key} is to name one image, but there are ${images.length}`, {
    reason: 'VARIABLE_CHOICE',
    name: key,
    candidates: images.map(labelOf),
  });
}

function imageNamed(text: string, images: readonly ShippedImage[]): ShippedImage {
  const found = images.find(({ name, ref, digest }) => [name, ref, digest].includes(text));
  const candidates = images.map(labelOf);
  if (found !== undefined) return found;
  throw new DrayageError('NOT_FOUND', `no image ${JSON.stringify(text)} to make a variable of`, {
    candidates,
    hint: `there are ${candidates.join(', ')}`,
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
