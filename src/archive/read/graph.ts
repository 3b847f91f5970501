import { DrayageError, isUnusable } from '../../errors.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Index } from '../../oci/image-index.ts';
import { parseIndex } from '../../oci/image-index.ts';
import type { Manifest, ParsedDocument } from '../../oci/manifest.ts';
import { parseManifest } from '../../oci/manifest.ts';
import { isConfigType, isIndexType, isManifestType, layerCompression } from '../../oci/media-types.ts';
import { isUnknownPlatform } from '../../oci/platform.ts';
import type { ArchiveContents } from './contents.ts';
import { INDEX_FILE } from '../../oci/layout.ts';

/** A document of an archive's graph, with what it leads to. */
export type GraphNode = GraphIndex | GraphManifest;

/** An image index that is in the archive. */
export interface GraphIndex extends ParsedDocument<Index> {
  kind: 'index';
  /** Its children; those that are absent or unreadable are undefined. */
  children: { descriptor: Descriptor; node: GraphNode | undefined }[];
  /** How many levels of documents it has below it. */
  height: number;
  /** How many steps a walk over all that is below it takes; what is reached in two ways counts twice. */
  steps: number;
}

/** A manifest that is in the archive. */
export interface GraphManifest extends ParsedDocument<Manifest> {
  kind: 'manifest';
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
  const { bytes } = await contents.document(INDEX_FILE, '');
  const reader = new GraphReader(contents, onDamage);
  return reader.entries(parseIndex(bytes, INDEX_FILE));
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

  async entries(index: Index): Promise<GraphEntry[]> {
    // index.json may well name a document several times: it has as many entries as the image has names.
    const entries = await this.#children(index.manifests, 0);
    assertWalkable(entries);
    return entries;
  }

  async #children(descriptors: Iterable<Descriptor>, depth: number): Promise<GraphEntry[]> {
    const children: GraphEntry[] = [];
    for (const descriptor of descriptors) {
      this.#count++;
      if (depth > MAX_DEPTH || this.#count > MAX_NODES) throw tooMuch();
      const node = await this.#node(descriptor, depth);
      // A document that was read at the top may come up again further down, with all that is below it.
      if (node?.kind === 'index' && depth + node.height > MAX_DEPTH) throw tooMuch();
      children.push({ descriptor, node });
    }
    return children;
  }

  async #node(descriptor: Descriptor, depth: number): Promise<GraphNode | undefined> {
    const known = this.#nodes.get(descriptor.digest);
    if (known !== undefined) return known;
    const node = this.#read(descriptor, depth).catch((error: unknown) => {
      if (!isUnusable(error)) throw error;
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
    const children = await this.#children(eachOnce(value.manifests), depth + 1);
    const height = Math.max(0, ...children.map(({ node }) => 1 + (node?.kind === 'index' ? node.height : 0)));
    return { ...document, kind: 'index', value, children, height, steps: assertWalkable(children) };
  }
}

/** Within an index, naming a document a second time adds nothing. */
function eachOnce(descriptors: readonly Descriptor[]): Descriptor[] {
  const seen = new Set<Digest>();
  return descriptors.filter(({ digest }) => !seen.has(digest) && seen.add(digest));
}

/** Counts the steps of a walk: shared documents are read once, but every way to them is walked. */
function assertWalkable(children: readonly GraphEntry[]): number {
  let steps = 0;
  for (const { node } of children) steps += 1 + (node?.kind === 'index' ? node.steps : 0);
  if (steps > MAX_NODES) throw tooMuch();
  return steps;
}

function tooMuch(): DrayageError {
  return new DrayageError('LIMIT', `${INDEX_FILE} leads to too many documents, or nests them too deeply`);
}
