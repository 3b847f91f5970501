import { currentBudget } from '../budget.ts';
import type { ImagePlace } from '../content/image-index.ts';
import type { ContentOptions, ContentSource } from '../content/source.ts';
import type { JobPlace } from './base-jobs.ts';
import { baseJobsOf, describeJob, expiresBefore } from './base-jobs.ts';
import { images, isUnreadable } from './image.ts';
import type { Layer } from './layer.ts';
import type { Ledger } from './ledger.ts';
import { omittedBlobs } from './omitted-layers.ts';
import { pairOf } from './proven.ts';
import { isNonDistributable, layerCompression } from '../oci/media-types.ts';

/**
 * A layout in the artifact of an earlier job. It is read once: its content must not change as long as this object is
 * used. Another object for the same layout is read again.
 */
export interface JobLayout {
  place: ImagePlace;
  /** Where a reader of the saved layout finds it. */
  at: JobPlace;
  /**
   * Layers that are recorded in an artifact which expires before this time are not omitted: in this one, or in those of
   * other jobs, where this layout omits layers itself. Default: whenever they expire.
   */
  neededUntil?: Date | undefined;
}

/**
 * What was read of layouts: an artifact never changes, and each image of a run asks. It is a value, not a promise: runs
 * that ask at the same time must not end for each other's reasons.
 */
const known = new WeakMap<JobLayout, BaseJob>();

/**
 * A layout in the artifact of an earlier job that the user named: its pairs are stated. Only its documents are read.
 * Layers that it omits itself are recorded at their own place, if that is the artifact of a job of the same server: no
 * reader asks another one.
 */
export class BaseJob {
  readonly source: ContentSource;
  /** By the pair. */
  readonly #places = new Map<string, JobPlace>();
  readonly #layers: Layer[] = [];
  /** Those that expire too early, by the words for each. */
  readonly #expiring = new Map<string, JobPlace>();

  private constructor(layout: ContentSource) {
    this.source = layout;
  }

  /**
   * Reads the documents of all images, once for each layout. A damaged one states nothing.
   * @param ledger receives what the layout states
   */
  static async open(layout: JobLayout, ledger: Ledger, options: ContentOptions = {}): Promise<BaseJob> {
    const base = known.get(layout) ?? (await BaseJob.#read(layout, options));
    // A run that has spent too much has passed over images that another run can read.
    if (currentBudget()?.exceeded === undefined) known.set(layout, base);
    ledger.state(base.#layers);
    return base;
  }

  static async #read(layout: JobLayout, options: ContentOptions): Promise<BaseJob> {
    const base = new BaseJob(layout.place);
    for (const image of await layout.place.images(options)) {
      try {
        const jobs = baseJobsOf(image);
        for await (const { manifest, layers } of images(layout.place, image.root, options)) {
          const omitted = omittedBlobs(manifest.value.layers, image);
          for (const layer of layers) await base.#learn(layer, { omitted, jobs }, layout, options);
        }
      } catch (error) {
        if (!isUnreadable(error)) throw error;
      }
    }
    return base;
  }

  async holds(layer: Layer): Promise<boolean> {
    return this.#places.has(pairOf(layer));
  }

  jobOf(layer: Layer): JobPlace | undefined {
    return this.#places.get(pairOf(layer));
  }

  /** The jobs whose artifacts expire too early: their layers are not stated. */
  get expiring(): readonly JobPlace[] {
    return [...this.#expiring.values()];
  }

  annotationsFor(): Record<string, string> {
    return {};
  }

  async #learn(
    layer: Layer,
    { omitted, jobs }: { omitted: ReadonlySet<string>; jobs: ReadonlyMap<string, JobPlace> },
    { place, at, neededUntil }: JobLayout,
    options: ContentOptions,
  ): Promise<void> {
    const { digest, mediaType } = layer.blob;
    // Readers would not get it, or not know what it is.
    if (isNonDistributable(mediaType) || layerCompression(mediaType) === undefined) return;
    const isThere = await place.has(layer.blob, options);
    const where = isThere ? at : omitted.has(digest) ? jobs.get(digest) : undefined;
    if (where?.server !== at.server || this.#places.has(pairOf(layer))) return;
    if (neededUntil !== undefined && expiresBefore(where, neededUntil))
      return void this.#expiring.set(describeJob(where), where);
    this.#places.set(pairOf(layer), where);
    this.#layers.push(layer);
  }
}
