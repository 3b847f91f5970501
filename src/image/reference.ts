import * as v from 'valibot';
import type { DaemonIdentity, ReferredImage } from '../content/endpoint.ts';
import type { ContentOptions, ContentSource } from '../content/source.ts';
import { DrayageError } from '../errors.ts';
import { REVISION } from '../oci/annotations.ts';
import type { ImageConfig } from '../oci/config.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { digestOf } from '../oci/digest.ts';
import { parseIndex } from '../oci/image-index.ts';
import type { Document, Manifest } from '../oci/manifest.ts';
import { buildArtifact, EMPTY_CONFIG, parseManifest, toDocument } from '../oci/manifest.ts';
import { isIndexType, isManifestType, OCI_MANIFEST } from '../oci/media-types.ts';
import { documentObject } from '../oci/keys.ts';
import { digestSchema, list, optional, parseDocument, statedMediaType, stringsSchema } from '../oci/parse.ts';
import { platformSchema } from '../oci/platform-schema.ts';
import { readDocument } from '../stream/document.ts';
import { readManifest } from './documents.ts';

/** The artifact type of a reference, and the media type of its only layer. */
export const IMAGE_REFERENCE = 'application/vnd.drayage.image-reference.v1+json';

/** An image that stays in a daemon, and that daemon. Its layers are in no layout. */
export interface ImageReference extends Omit<ReferredImage, 'names'> {
  daemon: DaemonIdentity;
}

/** A reference as a layout stores it. */
export interface StoredReference {
  /** The descriptor of the manifest as an index lists it, with artifact type and platform. */
  root: Descriptor;
  /** All documents to store, each after those that it names. */
  documents: Document[];
}

/** A name, a time or a path. */
const text = v.pipe(v.string(), v.minLength(1), v.maxLength(4096));
const referenceSchema = documentObject({
  config: digestSchema,
  diffIds: list(digestSchema),
  platform: platformSchema,
  created: optional(text),
  labels: optional(stringsSchema),
  daemon: documentObject({ id: text, name: text, root: text }),
  image: digestSchema,
  documents: list(v.string()),
});

/** Writes a reference. Of the labels, only the commit that the image was built from is kept: expectations need it. */
export function buildReference({ daemon, ...image }: ImageReference): StoredReference {
  const { id, diffIds, platform, created, labels = {}, documents } = image;
  const revision = labels[REVISION];
  const document = toDocument(
    IMAGE_REFERENCE,
    JSON.stringify({
      config: id,
      diffIds,
      platform,
      created,
      labels: revision === undefined ? undefined : { [REVISION]: revision },
      daemon: { id: daemon.id, name: daemon.name, root: daemon.root },
      image: image.image,
      documents: documents.map(({ bytes }) => Buffer.from(bytes).toString()),
    }),
  );
  const manifest = buildArtifact({ artifactType: IMAGE_REFERENCE, layers: [document.descriptor] });
  const root = { ...manifest.descriptor, artifactType: IMAGE_REFERENCE, platform };
  return { root, documents: [EMPTY_CONFIG, document, manifest] };
}

/** Whether a manifest is that of a reference. */
export function isReferenceManifest({ artifactType, subject }: Manifest): boolean {
  return artifactType === IMAGE_REFERENCE && subject === undefined;
}

/**
 * Reads a reference. Its documents are checked: they lead from the daemon's ID to the config digest.
 * @returns undefined if the root is something else
 * @throws {@link DrayageError} `MALFORMED`; errors of `source` for damaged content
 */
export async function readReference(
  source: ContentSource,
  root: Descriptor,
  options: ContentOptions = {},
): Promise<ImageReference | undefined> {
  if (!isManifestType(root.mediaType)) return undefined;
  const { value: manifest } = await readManifest(source, root, options);
  if (!isReferenceManifest(manifest)) return undefined;
  const what = `the reference ${root.digest}`;
  const [layer, ...others] = manifest.layers;
  if (layer?.mediaType !== IMAGE_REFERENCE || others.length > 0)
    throw malformed(what, 'it does not have exactly one document');
  const bytes = await readDocument(await source.open(layer, options), layer);
  const { config: id, documents: texts, ...stated } = parseDocument(referenceSchema, bytes, what);
  const { image, diffIds, platform, created, labels, daemon } = stated;
  const documents = texts.map(toDocumentOfImage);
  const found = configDigestIn(documents, image, what);
  if (found !== id) throw malformed(what, `its image has the config ${found}, not ${id}`);
  return { image, id, diffIds, platform, created, labels, documents, daemon };
}

/** What the image's config states, as far as a reference repeats it. */
export function referredConfig({ platform, created, labels, diffIds }: ImageReference): ImageConfig {
  return { ...platform, created, config: { Labels: { ...labels } }, rootfs: { diff_ids: [...diffIds] } };
}

/** Names a daemon to people: `runner-3 (ID 4f0c…, /var/lib/docker)`. */
export function daemonTitle({ id, name, root }: DaemonIdentity): string {
  return `${name} (ID ${id}, ${root})`;
}

/** A document that states no media type is read as a manifest. */
function toDocumentOfImage(content: string): Document {
  const stated = statedMediaType(Buffer.from(content)) ?? OCI_MANIFEST;
  return toDocument(isIndexType(stated) ? stated : OCI_MANIFEST, content);
}

/** The config digest that the documents lead to. */
function configDigestIn(documents: readonly Document[], image: Digest, what: string): Digest {
  const [first, second, ...others] = documents;
  if (first === undefined) return image;
  if (others.length > 0 || digestOf(first.bytes) !== image)
    throw malformed(what, 'its documents are not those of its image');
  if (!isIndexType(first.descriptor.mediaType)) {
    if (second !== undefined) throw malformed(what, 'its documents are not those of its image');
    return parseManifest(first.bytes, what).config.digest;
  }
  const listed = parseIndex(first.bytes, what).manifests.map(({ digest }) => digest);
  if (second === undefined || !listed.includes(second.descriptor.digest))
    throw malformed(what, 'its index does not list its manifest');
  return parseManifest(second.bytes, what).config.digest;
}

function malformed(what: string, why: string): DrayageError {
  return new DrayageError('MALFORMED', `${what}: ${why}`);
}
