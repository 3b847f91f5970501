/** The name of an image (OCI image-spec, annotations.md): here the familiar reference, `temp:latest`. */
export const REF_NAME = 'org.opencontainers.image.ref.name';
/** The normalised reference, `docker.io/library/temp:latest`, as containerd and docker write and read it. */
export const IMAGE_NAME = 'io.containerd.image.name';
/** When the image was built: the config's own time. */
export const CREATED = 'org.opencontainers.image.created';
/** The commit that the image was built from. */
export const REVISION = 'org.opencontainers.image.revision';
/** Where the sources of the image are. */
export const SOURCE = 'org.opencontainers.image.source';
/** Full name of the image that another one is built on (OCI image-spec, annotations.md): `docker.io/library/node:22`. */
export const BASE_NAME = 'org.opencontainers.image.base.name';
/** Digest of that image: of its manifest or image index. */
export const BASE_DIGEST = 'org.opencontainers.image.base.digest';
