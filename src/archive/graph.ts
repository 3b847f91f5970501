import { DrayageError, isDrayageError } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { Index } from '../oci/image-index.ts';
import { parseIndex } from '../oci/image-index.ts';
import type { Document, Manifest } from '../oci/manifest.ts';
import { parseManifest } from '../oci/manifest.ts';
import { isConfigType, isIndexType, isManifestType, layerCompression } from '../oci/media-types.ts';
import { isUnknownPlatform } from '../oci/platform.ts';
import type { ArchiveContents } from './contents.ts';

/** The file of a layout that lists what is in it. */
export const INDEX_NAME = 'index.json';

/** A document of an archive's graph, with what it leads to. */
export type GraphNode = GraphIndex | GraphManifest;

/** An image index that is in the archive. */
export interface GraphIndex extends Document {
  kind: 'index';
  value: Index;
  /** Its children; those that are absent or unreadable are undefined. */
  children: { descriptor: Descriptor; node: GraphNode | undefined }[];
}

/** A manifest that is in the archive. */
export interface GraphManifest extends Document {
  kind: 'manifest';
  value: Manifest;
}

/** What index.json lists. */
export interface GraphEntry {
  /** As it stands in index.json, with its annotations. */
  descriptor: Descriptor;
  node: GraphNode | undefined;
}

const MAX_DEPTH = 4;
const MAX_NODES = 10_000;

/**
 * Reads index.json and all documents that it leads to and that are in the archive, each checked against its digest.
 * @param onDamage is told of documents that are not what they should be, which then count as absent; may throw
 * @throws {@link DrayageError} `MALFORMED`, `LIMIT`
 */
export async function readGraph(
  contents: ArchiveContents,
  onDamage: (error: DrayageError) => void,
): Promise<GraphEntry[]> {
  const { bytes } = await contents.document(INDEX_NAME, '');
  const reader = new GraphReader(contents, onDamage);
  return reader.children(parseIndex(bytes, INDEX_NAME), 0);
}

/** Whether a descriptor names a document of a graph: an index or a manifest. */
export function isDocumentType(mediaType: string): boolean {
  return isIndexType(mediaType) || isManifestType(mediaType);
}

/** Whether an index's child is about another one: an attestation. */
export function isAttestation({ annotations, platform }: Descriptor): boolean {
  return (
    annotations?.['vnd.docker.reference.type'] !== undefined ||
    (platform !== undefined && isUnknownPlatform(platform))
  );
}

/** Whether a manifest is of an image: a config and layers, not some other artifact. */
export function isImage({ value }: GraphManifest): boolean {
  return (
    isConfigType(value.config.mediaType) &&
    value.layers.every(({ mediaType }) => layerCompression(mediaType) !== undefined)
  );
}

class GraphReader {
  readonly #contents: ArchiveContents;
  readonly #onDamage: (error: DrayageError) => void;
  readonly #nodes = new Map<Digest, Promise<GraphNode | undefined>>();
  #count = 0;

  constructor(contents: ArchiveContents, onDamage: (error: DrayageError) => void) {
    this.#contents = contents;
    this.#onDamage = onDamage;
  }

  async children(index: Index, depth: number): Promise<GraphEntry[]> {
    const children: GraphEntry[] = [];
    for (const descriptor of index.manifests) {
      this.#count++;
      if (depth > MAX_DEPTH || this.#count > MAX_NODES) {
        throw new DrayageError(
          'LIMIT',
          `${INDEX_NAME} leads to too many documents, or nests them too deeply`,
        );
      }
      children.push({ descriptor, node: await this.#node(descriptor, depth) });
    }
    return children;
  }

  async #node(descriptor: Descriptor, depth: number): Promise<GraphNode | undefined> {
    const known = this.#nodes.get(descriptor.digest);
    if (known !== undefined) return known;
    const node = this.#read(descriptor, depth).catch((error: unknown) => {
      if (!isDrayageError(error, 'MALFORMED', 'DIGEST_MISMATCH', 'SIZE_MISMATCH', 'UNSUPPORTED')) throw error;
      this.#onDamage(error);
      return undefined;
    });
    this.#nodes.set(descriptor.digest, node);
    return node;
  }

  async #read(descriptor: Descriptor, depth: number): Promise<GraphNode | undefined> {
    const isIndex = isIndexType(descriptor.mediaType);
    if (!isDocumentType(descriptor.mediaType)) return undefined;
    const document = await this.#contents.documentBlob(descriptor);
    if (document === undefined) return undefined;
    if (!isIndex) {
      return {
        ...document,
        kind: 'manifest',
        value: parseManifest(document.bytes, `manifest ${descriptor.digest}`),
      };
    }
    const value = parseIndex(document.bytes, `index ${descriptor.digest}`);
    return { ...document, kind: 'index', value, children: await this.children(value, depth + 1) };
  }
}
