import * as v from 'valibot';
import type { ErrorFacts } from '../errors.ts';
import { DrayageError } from '../errors.ts';
import type { Digest } from './digest.ts';
import { digestAlgorithm, digestHex } from './digest.ts';
import { documentObject } from './keys.ts';
import { optional, parseDocument } from './parse.ts';

/** The file that makes a folder or an archive a layout (OCI image-spec, image-layout.md#oci-layout-file). */
export const LAYOUT_FILE = 'oci-layout';
/** The version of layouts that is read and written. */
const LAYOUT_VERSION = '1.0.0';
/** How much of another version an error shows, in characters. */
const MAX_SHOWN = 40;
const layoutSchema = documentObject({ imageLayoutVersion: optional(v.string()) });

/**
 * Checks that an `oci-layout` file states the version that is read.
 * @param what names the file in errors
 * @param facts where it is
 * @throws {@link DrayageError} `MALFORMED`, also for another version; `LIMIT`
 */
export function checkLayoutVersion(bytes: Uint8Array, what: string, facts: ErrorFacts): void {
  if (bytes.length === 0) throw new DrayageError('MALFORMED', `${what} is empty`, facts);
  const version = parseDocument(layoutSchema, bytes, what).imageLayoutVersion;
  if (version === LAYOUT_VERSION) return;
  const actual = version?.slice(0, MAX_SHOWN);
  const stated = actual === undefined ? 'no layout version' : `layout version ${JSON.stringify(actual)}`;
  throw new DrayageError('MALFORMED', `${what} states ${stated}, not ${LAYOUT_VERSION}`, {
    ...facts,
    expected: LAYOUT_VERSION,
    actual,
  });
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
