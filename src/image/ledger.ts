import type { Layer } from './layer.ts';
import { isProven, pairOf } from './proven.ts';
import type { Digest } from '../oci/digest.ts';

/**
 * How well a blob is known to contain a layer. `proven`: this process has decompressed and hashed it. `stated`: a base
 * says so that the user named. `claimed`: anything else says so, such as a config beside a manifest.
 */
export type Standing = 'proven' | 'stated' | 'claimed';

/**
 * Which blobs are said to contain which layers, and how well that is known. Nothing else may decide that a blob is a
 * layer.
 */
export class Ledger {
  readonly #byDiffId = new Map<Digest, Map<string, Layer>>();
  readonly #byBlob = new Map<Digest, Map<string, Layer>>();
  readonly #stated = new Set<string>();

  /** Adds claims, which nobody vouches for. */
  claim(layers: readonly Layer[]): void {
    for (const layer of layers) {
      note(this.#byDiffId, layer.diffId, layer);
      note(this.#byBlob, layer.blob.digest, layer);
    }
  }

  /** Adds the layers of a base that the user named. */
  state(layers: readonly Layer[]): void {
    this.claim(layers);
    for (const layer of layers) this.#stated.add(pairOf(layer));
  }

  /** How well a pair is known; undefined if nothing is said about it. */
  standing(layer: Layer): Standing | undefined {
    if (isProven(layer)) return 'proven';
    if (this.#stated.has(pairOf(layer))) return 'stated';
    return this.#byBlob.get(layer.blob.digest)?.has(pairOf(layer)) === true ? 'claimed' : undefined;
  }

  /** The blobs that are said to contain a layer, in any compression; proven ones come first. */
  ofLayer(diffId: Digest): Layer[] {
    const layers = [...(this.#byDiffId.get(diffId)?.values() ?? [])];
    return [...layers.filter(isProven), ...layers.filter((layer) => !isProven(layer))];
  }

  /**
   * The layers that a digest may name: those that its blob is said to contain, and the blobs of an uncompressed one.
   */
  named(digest: Digest): Layer[] {
    return [...(this.#byBlob.get(digest)?.values() ?? []), ...this.ofLayer(digest)];
  }
}

function note(layers: Map<Digest, Map<string, Layer>>, digest: Digest, layer: Layer): void {
  const known = layers.get(digest) ?? new Map<string, Layer>();
  const pair = pairOf(layer);
  layers.set(digest, known.set(pair, known.get(pair) ?? layer));
}
