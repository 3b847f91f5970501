/**
 * Archives: docker-save and OCI archives of images, written from any content. `save` reads them.
 * @module drayage/archive
 */
import '../disposal.ts';
export type { PlacedContents, WriteOciOptions } from '../archive/write/oci.ts';
export { writeOciArchive, writeOciArchives } from '../archive/write/oci.ts';
export type { TaggedImage, WriteDockerOptions } from '../archive/write/docker.ts';
export { writeDockerArchive } from '../archive/write/docker.ts';
export type { ErrorCode, ErrorFacts } from '../errors.ts';
export { DrayageError, isDrayageError } from '../errors.ts';
