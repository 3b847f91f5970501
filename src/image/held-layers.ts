import type { ContentOptions, ContentSource, VerifiableSource } from '../content/source.ts';
import { isUnusable } from '../errors.ts';
import type { Layer } from './layer.ts';
import { proveAll } from './prove.ts';
import { isProven, pairOf, provenBlob } from './proven.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { drain } from '../stream/drain.ts';

/** A place that may check its blobs without reading them out. */
export type CheckedSource = ContentSource & Partial<VerifiableSource>;

/**
 * The layers that a place holds: each blob is intact there, and proven to contain its layer. Each pair is checked once.
 */
export class HeldLayers {
  readonly #source: CheckedSource;
  readonly #options: ContentOptions;
  readonly #known = new Map<string, boolean>();
  /** Proofs that run. Each is asked for again when it has ended. */
  #proving: Promise<unknown> = Promise.resolve();

  constructor(source: CheckedSource, options: ContentOptions = {}) {
    this.#source = source;
    this.#options = options;
  }

  /** Those of the layers that are held. Proves several at a time. A call waits for the ones before it. */
  async among(layers: readonly Layer[], options?: ContentOptions): Promise<Layer[]> {
    const proving = this.#proving.then(async () => this.#proveNew(layers, options));
    this.#proving = proving.catch(() => undefined);
    await proving;
    return layers.filter((layer) => this.#known.get(pairOf(layer)) === true);
  }

  async #proveNew(layers: readonly Layer[], options: ContentOptions = this.#options): Promise<void> {
    const isNew = (layer: Layer): boolean => !this.#known.has(pairOf(layer));
    for (const layer of layers.filter(isNew))
      if (isProven(layer))
        this.#known.set(pairOf(layer), await this.isIntact(provenBlob(layer) ?? layer.blob));
    const unproven = layers.filter(isNew);
    const onUnusable = (layer: Layer): void => void this.#known.set(pairOf(layer), false);
    await proveAll(this.#source, unproven, { ...options, onUnusable });
    for (const layer of unproven.filter(isNew)) this.#known.set(pairOf(layer), true);
  }

  /** Whether a blob is present and intact. */
  async isIntact(blob: Descriptor): Promise<boolean> {
    const source = this.#source;
    try {
      if (source.verifyBlob === undefined) await drain(await source.open(blob, this.#options));
      else await source.verifyBlob(blob, this.#options);
      return true;
    } catch (error) {
      if (isUnusable(error)) return false;
      throw error;
    }
  }
}
