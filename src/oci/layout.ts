import * as v from 'valibot';
import type { Digest } from './digest.ts';
import { digestAlgorithm, digestHex } from './digest.ts';
import { documentObject, optional, parseDocument } from './parse.ts';

/** The file that makes a folder or an archive a layout (OCI image-spec, image-layout.md#oci-layout-file). */
export const LAYOUT_FILE = 'oci-layout';
/** The version of layouts that is read and written. */
export const LAYOUT_VERSION = '1.0.0';
const layoutSchema = documentObject({ imageLayoutVersion: optional(v.string()) });

/**
 * The version that an `oci-layout` file states; undefined if it states none.
 * @throws {@link DrayageError} `MALFORMED`, `LIMIT`
 */
export function parseLayoutVersion(bytes: Uint8Array, what: string): string | undefined {
  return parseDocument(layoutSchema, bytes, what).imageLayoutVersion;
}

/** The bytes of an `oci-layout` file. */
export const LAYOUT_BYTES: Buffer = Buffer.from(JSON.stringify({ imageLayoutVersion: LAYOUT_VERSION }));
/** The file that names a layout's content (image-layout.md#indexjson-file). */
export const INDEX_FILE = 'index.json';
/** The file by which `docker load` reads an archive; a layout may have it, too. */
export const DOCKER_MANIFEST_FILE = 'manifest.json';
/** The folder of a layout's content (image-layout.md#blobs). */
export const BLOBS_FOLDER = 'blobs';

/** Where a layout keeps content: its path there (image-layout.md#blobs). */
export function blobName(digest: Digest): string {
  return `${BLOBS_FOLDER}/${digestAlgorithm(digest)}/${digestHex(digest)}`;
}
