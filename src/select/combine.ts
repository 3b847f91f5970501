import type { StoredImage } from '../content/image-index.ts';
import type { ContentOptions, ContentSource } from '../content/source.ts';
import { walk } from '../image/contents.ts';
import { isImageManifest } from '../image/documents.ts';
import { readConfig } from '../image/image.ts';
import { DrayageError } from '../errors.ts';
import { configPlatform } from '../oci/config.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { Document } from '../oci/manifest.ts';
import type { Platform } from '../oci/platform.ts';
import { describeOmitted, jointAnnotations } from '../image/omitted-layers.ts';
import type { PlatformManifest, PlatformPart } from '../oci/platform-index.ts';
import { platformIndex } from '../oci/platform-index.ts';

/** One of several images with one name, and where its content is. */
export interface CombinePart {
  source: ContentSource;
  image: StoredImage;
}

/** Images of several platforms as one. */
export interface CombinedImage {
  root: Descriptor;
  /** The new index; undefined if one of the parts is the whole already. */
  document?: Document;
  /** The annotations that all parts have, and the artifacts in which layers of any part are. */
  annotations: Record<string, string>;
}

/**
 * Makes one multi-platform image of images with one name. Reads only documents.
 * @throws {@link DrayageError} `AMBIGUOUS` if two of them are for one platform; `UNSAFE` if they omit different first layers;
 * errors of a source for damaged content
 */
export async function combineImages(
  name: string,
  parts: readonly CombinePart[],
  options: ContentOptions = {},
): Promise<CombinedImage> {
  const read = [];
  for (const part of parts) read.push(await readPart(part, options));
  assertSameOmitted(name, parts);
  return { ...platformIndex(name, read), annotations: jointAnnotations(parts.map(({ image }) => image)) };
}

async function readPart({ source, image }: CombinePart, options: ContentOptions): Promise<PlatformPart> {
  const { annotations: _, ...root } = image.root;
  const manifests: PlatformManifest[] = [];
  const others: Descriptor[] = [];
  const listed = new Set<Digest>([root.digest]);
  for await (const node of walk(source, root, options)) {
    if (node.kind === 'absent') listed.add(node.descriptor.digest);
    if (node.kind !== 'manifest') continue;
    const { descriptor } = node.document;
    listed.add(descriptor.digest);
    if (isImageManifest(node.document)) {
      const { config } = await readConfig(source, node.document, options);
      const stated = descriptor.digest === root.digest ? undefined : wholePlatform(descriptor);
      manifests.push({ ...descriptor, platform: stated ?? configPlatform(config.value) });
    } else {
      others.push(descriptor);
    }
  }
  return { root, manifests, others, listed };
}

/** The platform that a descriptor states; undefined if it does not say all of it. */
function wholePlatform({ platform }: Descriptor): Platform | undefined {
  return platform?.os && platform.architecture ? platform : undefined;
}

/** An image states the number of its omitted first layers and their base once, so that must be true for all its parts. */
function assertSameOmitted(name: string, parts: readonly CombinePart[]): void {
  const said = parts.map(({ image }) => describeOmitted(image));
  const [first, ...others] = new Set(said);
  if (others.length === 0) return;
  throw new DrayageError('UNSAFE', `the images of ${name} omit different layers: ${said.join(', ')}`, {
    actual: `${first}, ${others.join(', ')}`,
    reason: 'OMITTED_DIFFER',
    hint: 'complete them first, or save all of them against the same bases',
  });
}
