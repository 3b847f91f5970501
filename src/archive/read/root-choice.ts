import { ORIGINAL_INDEX } from '../../image/annotations.ts';
import type { Digest } from '../../oci/digest.ts';
import type { BlobStore } from './blob-store.ts';
import type { GraphEntry, GraphIndex, GraphManifest, GraphNode } from './graph.ts';
import type { ManifestPath } from './graph-walk.ts';
import { imageManifests, imagePaths, isAttestedIn, isComplete, isKept } from './graph-walk.ts';
import type { ImageParts } from './image-parts.ts';
import { memoize } from './memoize.ts';
import { ownReference } from './oci-name.ts';
import { pruneIndex } from './prune-index.ts';

/** A document to keep: a manifest over an image's parts, or an index above it. */
export interface Choice {
  manifest: GraphManifest;
  kept: GraphNode;
  /** The outermost index that led to it, where not all of that is there. */
  original?: Digest;
}

interface Choices {
  first: Choice;
  named: Map<string | undefined, Choice>;
}

/**
 * Which of the archive's own documents may be kept, for each image that they are about. Worked out in one go: an archive can
 * list one image under thousands of names.
 */
export class RootChoice {
  readonly #blobs: BlobStore;
  readonly #keepManifests: boolean;
  readonly #referrers = new Map<Digest, Map<Digest, GraphManifest>>();
  readonly #choices = new Map<string, Choices>();

  constructor(entries: readonly GraphEntry[], blobs: BlobStore, keepManifests: boolean) {
    this.#blobs = blobs;
    this.#keepManifests = keepManifests;
    for (const { node } of entries) this.#addReferrer(node);
    const reference = memoize(({ descriptor }: GraphEntry) => ownReference(descriptor));
    for (const path of imagePaths(entries)) this.#addPath(path, reference(path.entry));
  }

  /** The choice for an image under a name: what the archive lists under it comes first. */
  of(parts: ImageParts, name: string | undefined): Choice | undefined {
    const choices = this.#choices.get(keyOf(parts.config.descriptor, parts.layers.map(receivedOf)));
    return choices?.named.get(name) ?? choices?.first;
  }

  /** The manifests of index.json whose subject is one of these, and those whose subject is one of them in turn. */
  referrers(digests: readonly Digest[]): GraphManifest[] {
    const found = new Map<Digest, GraphManifest>();
    const queue = [...digests];
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      for (const [digest, node] of this.#referrers.get(next) ?? []) {
        if (found.has(digest)) continue;
        found.set(digest, node);
        queue.push(digest);
      }
    }
    return [...found.values()];
  }

  #addReferrer(node: GraphNode | undefined): void {
    const subject = node?.value.subject?.digest;
    if (node?.kind !== 'manifest' || subject === undefined) return;
    const found = this.#referrers.get(subject) ?? new Map<Digest, GraphManifest>();
    this.#referrers.set(subject, found.set(node.descriptor.digest, node));
  }

  #addPath({ indexes, manifest }: ManifestPath, name: string | undefined): void {
    if (!this.#isComplete(manifest)) return;
    const [outermost] = indexes;
    const index = outermost && this.#pruned(outermost);
    const keepsIndex = index !== undefined && this.#mayKeepIndex(index);
    if (!keepsIndex && !this.#mayKeepManifest(manifest)) return;
    const isPart = index !== undefined && index !== outermost;
    const choice: Choice = {
      manifest,
      kept: keepsIndex ? index : manifest,
      ...(isPart && { original: outermost?.descriptor.digest }),
    };
    const key = this.#key(manifest);
    const choices: Choices = this.#choices.get(key) ?? { first: choice, named: new Map() };
    this.#choices.set(key, choices);
    if (!choices.named.has(name)) choices.named.set(name, choice);
  }

  readonly #key = memoize(({ value }: GraphManifest) => keyOf(value.config, value.layers));
  readonly #isComplete = memoize((manifest: GraphManifest) => isComplete(manifest, this.#blobs));
  readonly #isKept = memoize((manifest: GraphManifest) => isKept(manifest, this.#blobs));
  readonly #pruned = memoize((index: GraphIndex) => pruneIndex(index, this.#isComplete));

  #mayKeepManifest(manifest: GraphManifest): boolean {
    return this.#keepManifests || this.#isKept(manifest) || this.#referrers.has(manifest.descriptor.digest);
  }

  /** Whether an index is worth layers that are stored twice: it is lost without them if it binds several documents together. */
  readonly #mayKeepIndex = memoize((index: GraphIndex): boolean => {
    const manifests = imageManifests(index);
    // Of what is left of an index, one image stands for itself.
    if (index.children.length === 1 && index.value.annotations?.[ORIGINAL_INDEX] !== undefined) return false;
    if (this.#keepManifests || manifests.every(this.#isKept)) return true;
    return manifests.length > 1 || manifests.some(({ descriptor }) => isAttestedIn(index, descriptor.digest));
  });
}

function receivedOf({ received }: ImageParts['layers'][number]): { digest: Digest } {
  return received;
}

function keyOf(config: { digest: Digest }, layers: readonly { digest: Digest }[]): string {
  return [config, ...layers].map(({ digest }) => digest).join(' ');
}
