import type { ImageIndex } from '../content/image-index.ts';
import type { ContentOptions, ContentSource } from '../content/source.ts';
import { readIndex } from './documents.ts';
import { readImage } from './image.ts';
import type { Layer } from './layer.ts';
import { assertReadable } from './layer-type.ts';
import { pairOf } from './proven.ts';
import { BASE_DIGEST, BASE_NAME } from '../oci/annotations.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { bareDescriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { isIndexType } from '../oci/media-types.ts';
import type { Platform } from '../oci/platform.ts';
import { matchesPlatform } from '../oci/platform.ts';
import { normalizedReference, parseReference, withDefaultTag } from '../oci/reference.ts';

/** A repository of base images. */
export type BaseRepository = ContentSource & Pick<ImageIndex, 'resolve'>;

/** Opens the repository of a reference. Whether it exists shows with the first request. */
export type OpenRepository = (reference: string, options: ContentOptions) => Promise<BaseRepository>;

/** A base image in a registry, for one platform. */
export class BaseImage {
  /** Full name with its tag, or without one with its digest: `docker.io/library/node:22`. */
  readonly name: string;
  /** The digest of the name's manifest or index. */
  readonly digest: Digest;
  /** Bottom first, as in the registry. */
  readonly layers: readonly Layer[];
  readonly source: ContentSource;

  private constructor(name: string, digest: Digest, layers: readonly Layer[], source: ContentSource) {
    this.name = name;
    this.digest = digest;
    this.layers = layers;
    this.source = source;
  }

  /**
   * Reads a base image's documents; for an index, those of the image for the platform.
   * @throws {@link DrayageError} `USAGE` for an invalid reference; `NOT_FOUND`, also if there is none for the platform;
   * errors of the repository
   */
  static async resolve(
    text: string,
    platform: Platform,
    open: OpenRepository,
    options: ContentOptions = {},
  ): Promise<BaseImage> {
    const reference = withDefaultTag(parseReference(text));
    const { digest, ...tagged } = reference;
    const name = normalizedReference(tagged.tag === undefined ? reference : tagged);
    const source = await open(normalizedReference(reference), options);
    const [{ root }] = await source.resolve(digest ?? normalizedReference(reference), options);
    const child = await childFor(source, root, platform, options);
    const { layers } = await readImage(source, child, { ...options, platform });
    // Whoever needs an omitted layer has to read it.
    for (const { blob } of layers) assertReadable(blob);
    const bare = layers.map(({ diffId, blob }) => ({ diffId, blob: bareDescriptor(blob) }));
    return new BaseImage(name, root.digest, bare, source);
  }

  /** Whether an image with these layers is built on it. */
  isUnder(diffIds: readonly Digest[]): boolean {
    const { layers } = this;
    return layers.length > 0 && layers.every(({ diffId }, i) => diffId === diffIds[i]);
  }

  async holds(layer: Layer): Promise<boolean> {
    return this.layers.some((own) => pairOf(own) === pairOf(layer));
  }

  annotationsFor(omitted: readonly Layer[]): Record<string, string> {
    const pairs = new Set(omitted.map(pairOf));
    const isUsed = this.layers.some((layer) => pairs.has(pairOf(layer)));
    return isUsed ? { [BASE_NAME]: this.name, [BASE_DIGEST]: this.digest } : {};
  }
}

/**
 * In an index, the manifest that is stated to be for the platform: registries limit how many manifests are requested.
 */
async function childFor(
  source: ContentSource,
  root: Descriptor,
  platform: Platform,
  options: ContentOptions,
): Promise<Descriptor> {
  if (!isIndexType(root.mediaType)) return root;
  const { manifests } = (await readIndex(source, root, options)).value;
  return manifests.find((child) => child.platform && matchesPlatform(platform, child.platform)) ?? root;
}
