import type { StoredImage } from '../content/image-index.ts';
import { nameOf, referenceTo } from '../content/image-index.ts';
import type { ImagePolicy } from '../content/policy.ts';
import type { ContentOptions, ContentSource } from '../content/source.ts';
import { DrayageError, isDrayageError } from '../errors.ts';
import { annotatePart } from '../image/annotations.ts';
import { walk } from '../image/contents.ts';
import { isImageManifest } from '../image/documents.ts';
import type { Image } from '../image/image.ts';
import { readConfig } from '../image/image.ts';
import { readReference, referredConfig } from '../image/reference.ts';
import { configPlatform } from '../oci/config.ts';
import { bareDescriptor } from '../oci/descriptor.ts';
import type { Platform } from '../oci/platform.ts';
import { formatPlatform, matchesPlatform } from '../oci/platform.ts';
import type { SelectedImage, SelectedReference, Selection } from './selection.ts';

/** How many documents all chosen images may lead to, those that several share counted for each. */
const MAX_DOCUMENTS = 100_000;

/** Codes of errors that are about an image's documents. */
const OF_DOCUMENTS = ['MALFORMED', 'UNSUPPORTED', 'DIGEST_MISMATCH', 'SIZE_MISMATCH'] as const;

/** An image and what was read of it. */
type ReadPart = Pick<SelectedImage, 'image' | 'root' | 'read'>;

/** A reference, and what was read of it. */
type ReadReference = Pick<SelectedReference, 'image' | 'root' | 'reference'>;

/** Reads the documents of images, and asks the policy about each; with a platform, only about the image for it. */
export class ImageReader {
  readonly #platform: Platform | undefined;
  readonly #policy: ImagePolicy | undefined;
  readonly #options: ContentOptions;
  #count = 0;

  constructor({ platform, policy, signal }: Pick<Selection, 'platform' | 'policy' | 'signal'>) {
    this.#platform = platform;
    this.#policy = policy;
    this.#options = { signal };
  }

  /**
   * Reads an image. A child of an index whose manifest or config is absent is skipped, if another is present.
   * @returns undefined if the root leads to no image
   * @throws {@link DrayageError} `NOT_FOUND` if it is for other platforms, `INCOMPLETE` if its documents are absent; `POLICY`,
   * `LIMIT`; errors of its place for damaged content
   */
  async read(content: ContentSource, image: StoredImage): Promise<ReadPart | undefined> {
    const platform = this.#platform;
    const all: Image[] = [];
    for await (const one of this.#images(content, image)) {
      if (platform !== undefined && isFor(platform, one)) {
        this.#policy?.check(image, one.config.value);
        return partOf(image, one);
      }
      all.push(one);
    }
    const [first, ...others] = all;
    if (first === undefined) return undefined;
    if (platform !== undefined) throw notForPlatform(nameOf(image), platform, all.map(platformOf));
    for (const { config } of all) this.#policy?.check(image, config.value);
    return { image, root: image.root, read: [first, ...others] };
  }

  /** As {@link read}; also reads a reference to an image in a daemon. */
  async readAny(content: ContentSource, image: StoredImage): Promise<ReadPart | ReadReference | undefined> {
    const read = await this.read(content, image);
    if (read !== undefined) return read;
    const reference = await readReference(content, image.root, this.#options);
    if (reference === undefined) return undefined;
    const platform = this.#platform;
    if (platform !== undefined && !matchesPlatform(platform, reference.platform))
      throw notForPlatform(nameOf(image), platform, [formatPlatform(reference.platform)]);
    this.#policy?.check(image, referredConfig(reference));
    return { image, root: image.root, reference };
  }

  async *#images(content: ContentSource, image: StoredImage): AsyncGenerator<Image, void, undefined> {
    let isEmpty = true;
    let absent: DrayageError | undefined;
    try {
      for await (const node of walk(content, image.root, this.#options)) {
        if (node.kind !== 'blob' && ++this.#count > MAX_DOCUMENTS) throw tooMany();
        if (node.kind !== 'manifest' || !isImageManifest(node.document)) continue;
        const read = await orAbsent(readConfig(content, node.document, this.#options));
        if (isDrayageError(read)) {
          absent ??= read;
        } else {
          isEmpty = false;
          yield read;
        }
      }
      if (isEmpty && absent !== undefined) throw absent;
    } catch (error) {
      throw ofImage(image, error);
    }
  }
}

/** The error for an image that is only there for other platforms. */
export function notForPlatform(name: string, platform: Platform, candidates: string[]): DrayageError {
  return new DrayageError('NOT_FOUND', `${name} is not there for ${formatPlatform(platform)}`, {
    candidates,
    hint:
      candidates.length > 0 ? `it is there for ${candidates.join(', ')}` : 'get it for that platform first',
  });
}

/** Of several images of a root the one for a platform; the only one is taken whatever it is for. */
export function imageFor({ image, read }: SelectedImage, platform: Platform): Image {
  const [first, ...others] = read;
  const found = read.find((one) => isFor(platform, one));
  if (found === undefined && others.length > 0)
    throw notForPlatform(nameOf(image), platform, read.map(platformOf));
  return found ?? first;
}

function isFor(platform: Platform, { config }: Image): boolean {
  return matchesPlatform(platform, configPlatform(config.value));
}

function platformOf({ config }: Image): string {
  return formatPlatform(configPlatform(config.value));
}

/** One image of a root. If the root is an index, the annotations name that. */
function partOf(image: StoredImage, part: Image): ReadPart {
  const { descriptor } = part.manifest;
  const isWhole = descriptor.digest === image.root.digest;
  const annotations = { ...annotatePart(descriptor.digest, image.root.digest), ...image.annotations };
  const root = isWhole ? image.root : bareDescriptor(descriptor);
  return { image: { ...image, annotations }, root, read: [part] };
}

async function orAbsent<T>(reading: Promise<T>): Promise<T | DrayageError> {
  try {
    return await reading;
  } catch (error) {
    if (isDrayageError(error, 'NOT_FOUND')) return error;
    throw error;
  }
}

/** An error about the documents of an image, with the name that a person looks for. */
export function ofImage(image: StoredImage, cause: unknown): unknown {
  const name = nameOf(image);
  const isNamed = isDrayageError(cause) && cause.message.includes(referenceTo(image));
  if (isDrayageError(cause, 'NOT_FOUND'))
    return new DrayageError('INCOMPLETE', `${name} is incomplete: ${cause.message}`, {
      ...cause.facts,
      cause,
    });
  if (!isDrayageError(cause, ...OF_DOCUMENTS) || isNamed) return cause;
  return new DrayageError(cause.code, `${name}: ${cause.message}`, { ...cause.facts, cause });
}

function tooMany(): DrayageError {
  return new DrayageError('LIMIT', `the images lead to over ${MAX_DOCUMENTS} manifests and indexes`);
}
