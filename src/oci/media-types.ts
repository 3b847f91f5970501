/** How layer blobs may be compressed, the one to choose last: the suffix of their media type, which `none` has not. */
export const COMPRESSIONS = ['none', 'gzip', 'zstd'] as const;
/** How a layer blob is compressed. */
export type Compression = (typeof COMPRESSIONS)[number];

/** OCI image manifest. */
export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
/** OCI image index. */
export const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
/** OCI image config. */
export const OCI_CONFIG = 'application/vnd.oci.image.config.v1+json';
/** OCI layer, uncompressed. */
export const OCI_LAYER = 'application/vnd.oci.image.layer.v1.tar';
/** Docker schema 2 image manifest. */
export const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
/** Docker schema 2 manifest list: the equivalent of an OCI image index. */
export const DOCKER_MANIFEST_LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';
/** Docker schema 2 image config. */
export const DOCKER_CONFIG = 'application/vnd.docker.container.image.v1+json';
/** The media type that a daemon uses for a config or a layer of unknown type. */
export const OCTET_STREAM = 'application/octet-stream';

/** The media types of layers, OCI's and docker's, each without and with a suffix. */
const LAYER =
  /^application\/vnd\.(?:oci\.image\.layer(?:\.nondistributable)?\.v1\.tar(?:\+(?<oci>\w+))?|docker\.image\.rootfs(?:\.foreign)?\.diff\.tar(?:\.(?<docker>\w+))?)$/;

/** Whether a descriptor of this media type names an image manifest. */
export function isManifestType(mediaType: string): boolean {
  return mediaType === OCI_MANIFEST || mediaType === DOCKER_MANIFEST;
}

/** Whether a descriptor of this media type names an image index or a manifest list. */
export function isIndexType(mediaType: string): boolean {
  return mediaType === OCI_INDEX || mediaType === DOCKER_MANIFEST_LIST;
}

/** Whether a descriptor of this media type names a document that names content: a manifest or an index. */
export function isDocumentType(mediaType: string): boolean {
  return isManifestType(mediaType) || isIndexType(mediaType);
}

/** Whether a descriptor of this media type names an image config. */
export function isConfigType(mediaType: string): boolean {
  return mediaType === OCI_CONFIG || mediaType === DOCKER_CONFIG;
}

/** The compression that a layer's media type states; undefined if it is not that of an image layer. */
export function layerCompression(mediaType: string): Compression | undefined {
  const { groups } = LAYER.exec(mediaType) ?? {};
  if (groups === undefined) return undefined;
  const suffix = groups['oci'] ?? groups['docker'];
  return COMPRESSIONS.find((name) => (name === 'none' ? suffix === undefined : suffix === name));
}

/** Whether this is the media type of an image layer, in any compression. */
export function isLayerType(mediaType: string): boolean {
  return /^application\/vnd\.(?:oci\.image\.layer|docker\.image\.rootfs)\./.test(mediaType);
}

/** Whether a layer of this media type may be absent (OCI image-spec, layer.md#non-distributable-layers). */
export function isNonDistributable(mediaType: string): boolean {
  return layerCompression(mediaType) !== undefined && /nondistributable|foreign/.test(mediaType);
}

/** The OCI media type of a layer with this compression. */
export function ociLayerType(compression: Compression): string {
  return compression === 'none' ? OCI_LAYER : `${OCI_LAYER}+${compression}`;
}
