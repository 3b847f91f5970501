import type { ArrivedImage } from '../../content/arrived-image.ts';
import type { StoredImage } from '../../content/image-index.ts';
import type { StoreTransaction } from '../../content/store.ts';
import { withOrigin } from '../../ci/origin.ts';
import { readImage, withPlatform } from '../../image/image.ts';
import { checkSize } from '../../image/size-check.ts';
import { identify } from '../../listing/unique-reference.ts';
import { CREATED } from '../../oci/annotations.ts';
import { configPlatform } from '../../oci/config.ts';
import { formatPlatform } from '../../oci/platform.ts';
import type { SavedImage, SaveOptions } from './options.ts';

/** What is stated of each saved image, and how large they may be. */
type StoreOptions = Pick<
  SaveOptions,
  'annotations' | 'onPlanned' | 'maxSize' | 'warnSize' | 'onProgress' | 'signal'
>;

/** Adds arrived images to the index, and checks the size of the layout. */
export async function storeImages(
  arrivals: readonly ArrivedImage[],
  before: readonly StoredImage[],
  content: StoreTransaction,
  options: StoreOptions,
): Promise<SavedImage[]> {
  const saved: SavedImage[] = [];
  // One after the other, so that the index lists them in the order of their arrival.
  for (const arrival of arrivals) saved.push(await store(arrival, content, options));
  const all = [...before, ...arrivals];
  await checkSize(
    content,
    all.map(({ root, annotations }) => ({ ...root, annotations })),
    options,
  );
  await options.onPlanned?.(saved.map((image, i) => ({ ...image, names: arrivals[i]?.names ?? [] })));
  return saved;
}

/** Adds an arrived image to the layout's index, and describes it. */
async function store(
  { root, names, foundAs, originalIndexes, layers, referrers, ...arrival }: ArrivedImage,
  content: StoreTransaction,
  options: StoreOptions,
): Promise<SavedImage> {
  const { config } = await readImage(content, root, options);
  const { created } = config.value;
  const own = { ...(created && { [CREATED]: created }), ...options.annotations };
  const annotations = withOrigin(arrival.annotations, own);
  content.add(withPlatform(root, config.value), names, annotations);
  for (const referrer of referrers) content.add(referrer, [], {});
  return {
    ...identify({ root, names, annotations }, config.descriptor.digest),
    ...(foundAs !== undefined && { foundAs }),
    ...(originalIndexes !== undefined && { originalIndexes }),
    platform: formatPlatform(configPlatform(config.value)),
    layers,
  };
}
