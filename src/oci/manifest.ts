import { count } from '../text/count.ts';
import * as v from 'valibot';
import { DrayageError } from '../errors.ts';
import type { ImageConfig } from './config.ts';
import type { Descriptor } from './descriptor.ts';
import { bareDescriptor } from './descriptor.ts';
import { descriptorSchema } from './descriptor-schema.ts';
import type { Digest } from './digest.ts';
import { digestOf } from './digest.ts';
import { DOCKER_MANIFEST, OCI_CONFIG, OCI_MANIFEST } from './media-types.ts';
import { documentObject } from './keys.ts';
import { list, optional, optionalType, parseDocument, schemaVersion, stringsSchema } from './parse.ts';

/** An image manifest, OCI (manifest.md) or its Docker schema 2 equivalent. */
export interface Manifest {
  schemaVersion: 2;
  mediaType?: string | undefined;
  artifactType?: string | undefined;
  config: Descriptor;
  layers: Descriptor[];
  /** What this manifest refers to (a signature, an SBOM). */
  subject?: Descriptor | undefined;
  annotations?: Record<string, string> | undefined;
}

/** The bytes of a document, and the descriptor that names it. */
export interface Document {
  descriptor: Descriptor;
  bytes: Uint8Array;
}

/** A document that was read and checked, with its parsed value. */
export interface ParsedDocument<T> extends Document {
  value: T;
}

const manifestSchema: v.GenericSchema<unknown, Manifest> = documentObject({
  schemaVersion: v.optional(schemaVersion, 2),
  mediaType: optional(v.picklist([OCI_MANIFEST, DOCKER_MANIFEST])),
  artifactType: optionalType,
  config: descriptorSchema,
  layers: list(descriptorSchema),
  subject: optional(descriptorSchema),
  annotations: optional(stringsSchema),
  // A document that is a manifest and an index at once, or one of schema 1, attacks programs that trust the media type.
  manifests: v.optional(v.undefined('a manifest must not have "manifests"')),
  fsLayers: v.optional(v.undefined('a manifest must not have "fsLayers"')),
});

/**
 * Parses an image manifest. `layers: null`, which exists, is an empty list.
 * @throws {@link DrayageError} `MALFORMED`
 */
export function parseManifest(bytes: Uint8Array, what: string): Manifest {
  return parseDocument(manifestSchema, bytes, what);
}

/**
 * Writes an image manifest as dockerd >= 26 does: compact JSON, keys in the order schemaVersion, mediaType, config,
 * layers. Over uncompressed layers the digest equals the daemon's own, if nothing further is stated.
 */
export function buildManifest(
  config: Descriptor,
  layers: readonly Descriptor[],
  further: ManifestOptions = {},
): Document {
  return writeManifest({ ...further, config: bareDescriptor(config), layers: layers.map(bareDescriptor) });
}

/** Writes an image config as an OCI one, whose descriptor a manifest names. */
export function buildConfig(config: ImageConfig): Document {
  return toDocument(OCI_CONFIG, JSON.stringify(config));
}

/** What a manifest states beside config and layers (OCI image-spec, manifest.md). Default: nothing. */
export interface ManifestOptions {
  /** The type of an artifact. */
  artifactType?: string | undefined;
  /** What the manifest refers to: `referrers` of that finds it. */
  subject?: Descriptor | undefined;
  annotations?: Readonly<Record<string, string>> | undefined;
}

/** An absent value is not written. */
function writeManifest({
  artifactType,
  config,
  layers,
  subject,
  annotations,
}: ManifestOptions & { config: Descriptor; layers: readonly Descriptor[] }): Document {
  const manifest = {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    artifactType,
    config,
    layers,
    subject: subject && bareDescriptor(subject),
    annotations,
  };
  return toDocument(OCI_MANIFEST, JSON.stringify(manifest));
}

/** Makes a document of a text. */
export function toDocument(mediaType: string, text: string): Document {
  const bytes = Buffer.from(text);
  return { descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length }, bytes };
}

/** The empty config of an artifact (OCI image-spec, manifest.md#guidance-for-an-empty-descriptor). */
export const EMPTY_CONFIG: Document = /* @__PURE__ */ toDocument('application/vnd.oci.empty.v1+json', '{}');

/** What an artifact manifest states. */
export interface ArtifactManifest extends Pick<Manifest, 'subject' | 'annotations'> {
  artifactType: string;
  layers: readonly Descriptor[];
}

/** Writes the manifest of an artifact (OCI image-spec, manifest.md#guidelines-for-artifact-usage). */
export function buildArtifact(artifact: ArtifactManifest): Document {
  return writeManifest({ ...artifact, config: EMPTY_CONFIG.descriptor });
}

/**
 * Pairs each layer's diffID with its blob, as `manifest.layers[i]` and `config.rootfs.diff_ids[i]` claim.
 * @param digest that of the manifest, for the error
 * @throws {@link DrayageError} `MALFORMED` if their counts differ
 */
export function pairLayers(
  manifest: Manifest,
  diffIds: readonly Digest[],
  digest?: Digest,
): { diffId: Digest; blob: Descriptor }[] {
  if (manifest.layers.length !== diffIds.length) {
    throw new DrayageError(
      'MALFORMED',
      `${digest === undefined ? 'a manifest' : `the manifest ${digest}`} has ${count(manifest.layers.length, 'layer')}, its config ${manifest.config.digest} has ${count(diffIds.length, 'diff_id')}`,
      { digest, expected: diffIds.length, actual: manifest.layers.length },
    );
  }
  return manifest.layers.flatMap((blob, i) => {
    const diffId = diffIds[i];
    return diffId === undefined ? [] : [{ diffId, blob }];
  });
}
