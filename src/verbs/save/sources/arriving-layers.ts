import type { SavedLayer } from '../../../content/layer.ts';
import type { Digest } from '../../../oci/digest.ts';
import type { LayerStatus, OnProgress } from '../../../progress.ts';

/** What is reported of a layer. */
type ArrivingLayer = Pick<SavedLayer, 'diffId' | 'digest' | 'size' | 'status'>;

/** How often a layer counts, how often it was reported, and in how many images that are done. */
interface Count {
  times: number;
  told: number;
  settled: number;
}

/**
 * Reports the layers of a save as they are done. If it is known beforehand which layers come, each counts once in each
 * image, however it arrives: twice in an archive, once for two images, or not at all because it is held.
 */
export class ArrivingLayers {
  readonly #onProgress: OnProgress | undefined;
  readonly #statusOf: (layer: ArrivingLayer) => LayerStatus;
  /** By diffID; undefined if it is not known what comes. */
  #expected: Map<Digest, Count> | undefined;
  #images = 0;

  /** @param statusOf default: as the layer says */
  constructor(
    onProgress: OnProgress | undefined,
    statusOf: (layer: ArrivingLayer) => LayerStatus = ({ status }) => status,
  ) {
    this.#onProgress = onProgress;
    this.#statusOf = statusOf;
  }

  /**
   * Reports the start.
   * @param images the diffIDs of each image, as far as they are known
   */
  begin(images: readonly (readonly Digest[] | undefined)[]): void {
    this.#images = images.length;
    const known = images.flatMap((diffIds) => (diffIds === undefined ? [] : [diffIds]));
    if (known.length < images.length) return this.#start(null);
    const expected = new Map<Digest, Count>();
    for (const diffId of known.flatMap((diffIds) => [...new Set(diffIds)])) {
      const one = expected.get(diffId) ?? { times: 0, told: 0, settled: 0 };
      expected.set(diffId, { ...one, times: one.times + 1 });
    }
    this.#expected = expected;
    this.#start([...expected.values()].reduce((sum, { times }) => sum + times, 0));
  }

  /** A layer is done. One that was not expected, of another platform, makes the total unknown. */
  tell(layer: ArrivingLayer): void {
    const expected = this.#expected?.get(layer.diffId);
    if (expected !== undefined && expected.told === expected.times) return;
    if (expected !== undefined) expected.told++;
    else if (this.#expected !== undefined) {
      this.#expected = undefined;
      this.#start(null);
    }
    const { digest, size } = layer;
    this.#onProgress?.({ kind: 'layer', digest, size, status: this.#statusOf(layer) });
  }

  /** An image is done: reports its layers that have not come for it. */
  settle(layers: readonly ArrivingLayer[]): void {
    for (const [diffId, layer] of new Map(layers.map((one) => [one.diffId, one]))) {
      const expected = this.#expected?.get(diffId);
      if (expected === undefined) continue;
      expected.settled++;
      if (expected.told < expected.settled) this.tell({ ...layer, status: 'reused' });
    }
  }

  #start(layers: number | null): void {
    this.#onProgress?.({ kind: 'start', images: this.#images, layers, size: null });
  }
}
