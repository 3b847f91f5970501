import type { ContentOptions } from '../../content/source.ts';
import { DrayageError, isDrayageError, isUnusable } from '../../errors.ts';
import type { Digest } from '../../oci/digest.ts';
import { isDigest } from '../../oci/digest.ts';
import { parseManifest } from '../../oci/manifest.ts';
import { isManifestType } from '../../oci/media-types.ts';
import { isIdOf, looksLikeImageId } from '../../oci/reference.ts';
import type { ListedManifest } from '../images/description.ts';
import type { SaveTarget } from './request-archive.ts';
import { requestDocuments } from './request-blobs.ts';

/** The annotation with the config's digest that BuildKit gives the manifests in a daemon. It saves reading the others. */
const CONFIG_DIGEST = 'config.digest';
/** How many manifests are requested at a time. */
const AT_ONCE = 50;

/**
 * Does work with an image of a daemon. If it has no such image, and the text is an ID, works with the image whose config
 * has that digest: a containerd store itself finds images by the digests of their roots only. All other stores do that
 * by themselves.
 * @throws {@link DrayageError} errors of `work`; `AMBIGUOUS` if a short ID means several configs
 */
export async function withImage<T>(
  target: SaveTarget,
  image: string,
  options: ContentOptions,
  work: (image: string) => Promise<T>,
): Promise<T> {
  try {
    return await work(image);
  } catch (error) {
    if (!isDrayageError(error, 'NOT_FOUND') || !target.canChoose || !looksLikeImageId(image)) throw error;
    const id = await idByConfig(target, image, options);
    if (id === undefined) throw error;
    return work(id);
  }
}

/** The daemon's ID of an image, by the digest of its config; undefined if there is none. */
async function idByConfig(
  target: SaveTarget,
  text: string,
  options: ContentOptions,
): Promise<Digest | undefined> {
  const found = new Map<Digest, Digest>();
  const manifests = await listManifests(target, text, options);
  for (let i = 0; i < manifests.length && !(isDigest(text) && found.size > 0); i += AT_ONCE) {
    for (const { id, config } of await readConfigs(target, manifests.slice(i, i + AT_ONCE), options))
      if (isIdOf(text, config) && !found.has(config)) found.set(config, id);
  }
  const configs = [...found.keys()];
  if (configs.length > 1) {
    throw new DrayageError('AMBIGUOUS', `${text} is the start of several image IDs`, { candidates: configs });
  }
  return [...found.values()][0];
}

/** The manifests that may have the config, the likeliest first. */
async function listManifests(
  { images }: SaveTarget,
  text: string,
  options: ContentOptions,
): Promise<ListedManifest[]> {
  const listed = await images.manifests(options);
  const manifests = listed.filter(({ descriptor }) => isManifestType(descriptor.mediaType));
  const isLikely = ({ descriptor: { annotations } }: ListedManifest): boolean => {
    const stated = annotations?.[CONFIG_DIGEST] ?? '';
    return isDigest(stated) && isIdOf(text, stated);
  };
  return [...manifests.filter(isLikely), ...manifests.filter((one) => !isLikely(one))];
}

/** The config of each manifest that can be read. */
async function readConfigs(
  target: SaveTarget,
  manifests: readonly ListedManifest[],
  { signal }: ContentOptions,
): Promise<{ id: Digest; config: Digest }[]> {
  const wanted = new Map(manifests.map(({ descriptor }) => [descriptor.digest, descriptor]));
  const documents = await requestDocuments(target, [...wanted.values()], signal);
  return manifests.flatMap(({ id, descriptor: { digest } }) => {
    const bytes = documents.get(digest)?.bytes;
    const config = bytes && configIn(bytes, digest);
    return config === undefined ? [] : [{ id, config }];
  });
}

function configIn(bytes: Uint8Array, digest: Digest): Digest | undefined {
  try {
    return parseManifest(bytes, `manifest ${digest}`).config.digest;
  } catch (error) {
    if (isUnusable(error)) return undefined;
    throw error;
  }
}
