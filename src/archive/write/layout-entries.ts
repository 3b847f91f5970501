import type { Readable } from 'node:stream';
import type { ContentOptions } from '../../content/source.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { buildIndex } from '../../oci/image-index.ts';
import { blobName, INDEX_FILE, LAYOUT_BYTES, LAYOUT_FILE } from '../../oci/layout.ts';
import type { Document } from '../../oci/manifest.ts';
import type { OutgoingEntry } from '../tar/write.ts';
import { smallEntry, writeTar } from '../tar/write.ts';

/** What an archive begins with that is a layout: the file that says so, and index.json with these entries. */
export function layoutEntries(
  manifests: readonly Descriptor[],
): [layoutFile: OutgoingEntry, indexFile: OutgoingEntry] {
  return [smallEntry(LAYOUT_FILE, LAYOUT_BYTES), smallEntry(INDEX_FILE, buildIndex(manifests).bytes)];
}

/** Documents as blobs of a layout. */
export function documentEntries(documents: readonly Document[]): OutgoingEntry[] {
  return documents.map(({ descriptor, bytes }) => smallEntry(blobName(descriptor.digest), bytes));
}

/** Writes a layout with one root as an archive that contains only these documents. */
export function writeDocuments(
  root: Descriptor,
  documents: readonly Document[],
  options: ContentOptions,
): Readable {
  return writeTar(async function* () {
    yield* layoutEntries([root]);
    yield* documentEntries(documents);
  }, options);
}
