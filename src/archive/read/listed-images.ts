import * as v from 'valibot';
import { DrayageError, isDrayageError } from '../../errors.ts';
import type { ArrivedImage } from '../../content/arrived-image.ts';
import { configPlatform } from '../../oci/config.ts';
import type { Digest } from '../../oci/digest.ts';
import { parseDocument } from '../../oci/parse.ts';
import { formatPlatform } from '../../oci/platform.ts';
import type { BlobStore } from './blob-store.ts';
import type { ArchiveContents } from './contents.ts';
import { missing } from './contents.ts';
import { parseDockerManifest } from '../docker-manifest.ts';
import type { GraphEntry, GraphManifest } from './graph.ts';
import { isDocumentType, readGraph } from './graph.ts';
import { imagePaths, isComplete } from './graph-walk.ts';
import type { ImageParts } from './image-parts.ts';
import { PartsReader } from './image-parts.ts';
import { memoize } from './memoize.ts';
import { entryReference, foreignReference } from './oci-name.ts';
import { Roots } from './root.ts';
import { blobName, LAYOUT_FILE, LAYOUT_VERSION } from '../../oci/layout.ts';
import { DOCKER_MANIFEST_FILE, INDEX_FILE } from '../../oci/layout.ts';

/** An archive that has passed. */
export interface ListContext {
  contents: ArchiveContents;
  blobs: BlobStore;
  keepManifests: boolean;
}

/** An image under one of its names. */
interface Listed {
  name: string | undefined;
  /** What another tool calls it, where that is no name. */
  foreign?: string;
  parts: ImageParts;
}

/** How many images an archive may list, under each of their names. */
const MAX_LISTED = 10_000;

/** The images that manifest.json lists. What index.json adds is used where it fits. */
export async function dockerImages(context: ListContext): Promise<ArrivedImage[]> {
  const { contents } = context;
  const { bytes } = await contents.document(DOCKER_MANIFEST_FILE, '');
  const reader = new PartsReader(contents);
  const listed: Listed[] = [];
  for (const image of parseDockerManifest(bytes)) {
    const names = image.names.length === 0 ? [undefined] : image.names;
    assertListable(listed.length + names.length);
    const parts = await reader.docker(image);
    for (const name of names) listed.push({ name, parts });
  }
  return settle(listed, await hybridEntries(contents), reader, context);
}

/** The images that index.json lists, of an archive or a layout that has no manifest.json. */
export async function ociImages(context: ListContext): Promise<ArrivedImage[]> {
  const { contents, blobs } = context;
  await assertLayoutVersion(contents);
  const entries = await readGraph(contents, (error) => {
    throw error;
  });
  const reader = new PartsReader(contents);
  const isThere = memoize((manifest: GraphManifest) => isComplete(manifest, blobs));
  const listed: Listed[] = [];
  for (const entry of entries) {
    assertPresent(entry);
    const manifests = [...new Set([...imagePaths([entry])].map(({ manifest }) => manifest))];
    const complete = manifests.filter(isThere);
    // Where none is complete, the first one says which blob is missing, or wrong.
    for (const { value } of complete.length > 0 ? complete : manifests.slice(0, 1)) {
      const parts = await reader.oci(value);
      listed.push({
        name: entryReference(entry.descriptor),
        foreign: foreignReference(entry.descriptor),
        parts,
      });
    }
  }
  return settle(listed, entries, reader, context);
}

function assertListable(count: number): void {
  if (count <= MAX_LISTED) return;
  throw new DrayageError('LIMIT', `${DOCKER_MANIFEST_FILE} lists over ${MAX_LISTED} images`, {
    expected: MAX_LISTED,
    actual: count,
  });
}

async function settle(
  listed: Listed[],
  entries: GraphEntry[],
  reader: PartsReader,
  context: ListContext,
): Promise<ArrivedImage[]> {
  if (listed.length === 0) throw new DrayageError('MALFORMED', 'the archive holds no image');
  const roots = new Roots({ ...context, parts: reader, entries });
  const images = new Map<Digest, ArrivedImage>();
  const owners = new Map<string, Digest>();
  for (const { name, foreign, parts } of listed) {
    const root = await roots.settle(parts, name);
    const image = images.get(root.root.digest) ?? { ...root, names: [] };
    images.set(root.root.digest, image);
    if (foreign !== undefined) image.foreign = [...(image.foreign ?? []), foreign];
    if (name === undefined) continue;
    assertOneOwner(owners, name, parts, image);
    if (!image.names.includes(name)) image.names.push(name);
  }
  return [...images.values()];
}

/** An index may lack some of its children, but not all; other kinds of content are passed over. */
function assertPresent({ descriptor, node }: GraphEntry): void {
  if (node === undefined && isDocumentType(descriptor.mediaType)) throw missing(blobName(descriptor.digest));
  if (node?.kind !== 'index' || node.children.some((child) => child.node !== undefined)) return;
  const absent = node.children.find((child) => isDocumentType(child.descriptor.mediaType));
  if (absent !== undefined) throw missing(blobName(absent.descriptor.digest));
}

/** One name may stand for images of several platforms, but not for two of one. */
function assertOneOwner(
  owners: Map<string, Digest>,
  name: string,
  { value }: ImageParts,
  image: ArrivedImage,
): void {
  const key = `${name} ${formatPlatform(configPlatform(value))}`;
  const owner = owners.get(key) ?? image.root.digest;
  owners.set(key, owner);
  if (owner !== image.root.digest) {
    throw new DrayageError('MALFORMED', `the archive gives the name ${name} to two images`, {
      candidates: [owner, image.root.digest],
    });
  }
}

/** index.json beside a manifest.json: an addition, so that damage to it does no harm. */
async function hybridEntries(contents: ArchiveContents): Promise<GraphEntry[]> {
  if (!contents.has(INDEX_FILE)) return [];
  try {
    return await readGraph(contents, () => undefined);
  } catch (error) {
    if (isDrayageError(error, 'MALFORMED')) return [];
    throw error;
  }
}

async function assertLayoutVersion(contents: ArchiveContents): Promise<void> {
  const { bytes } = await contents.document(LAYOUT_FILE, '');
  const schema = v.object({ imageLayoutVersion: v.string() });
  const { imageLayoutVersion: version } = parseDocument(schema, bytes, LAYOUT_FILE);
  if (version === LAYOUT_VERSION) return;
  throw new DrayageError(
    'UNSUPPORTED',
    `OCI layouts of version ${JSON.stringify(version.slice(0, 40))} are not read`,
    {
      entry: LAYOUT_FILE,
      expected: LAYOUT_VERSION,
      actual: version.slice(0, 40),
    },
  );
}
