import pLimit from 'p-limit';
import type { ContentOptions } from '../../../content/source.ts';
import type { ErrorReason } from '../../../errors.ts';
import { DrayageError, isDrayageError } from '../../../errors.ts';
import type { Digest } from '../../../oci/digest.ts';
import type { Platform } from '../../../oci/platform.ts';
import { formatPlatform } from '../../../oci/platform.ts';
import type { Ledger } from '../../../image/ledger.ts';
import { parseReference } from '../../../oci/reference.ts';
import type { OpenRepository } from '../../../image/base-image.ts';
import { BaseImage } from '../../../image/base-image.ts';
import { eitherSignal } from '../../../stream/signals.ts';

/** Where to look for base images. */
export interface BaseSearch {
  /** Opens repositories of registries. */
  openRepository: OpenRepository;
  /** The bases of the images, by reference. If any is given, no other is looked for. */
  asked?: readonly string[] | undefined;
  /** The images that builds used, by reference; the first one that fits is taken. */
  built?: readonly string[] | undefined;
  /** Images of the daemon that came from registries. */
  pulled?: (() => Promise<readonly PulledImage[]>) | undefined;
  /** The time limit for a registry's answer about one base, in milliseconds. Default 20 seconds. */
  patience?: number | undefined;
}

/** An image that a daemon has from a registry. */
export interface PulledImage {
  /** Bottom first. */
  diffIds: readonly Digest[];
  /** By digest, with a tag if it has one: `node:22@sha256:…`. */
  references: readonly string[];
}

/** An image whose base is wanted. */
interface BaseQuery {
  /** For people. */
  name: string;
  /** Bottom first. */
  diffIds: readonly Digest[];
  platform: Platform;
}

/** Gets what a user should know of a search. */
type OnNote = (message: string, reason?: ErrorReason) => void;

/** How many blobs are looked up at a time. */
const CONCURRENCY = 8;
/** How many of the daemon's images are tried for one image. */
const MAX_PULLED = 3;
/** In milliseconds: saving must not wait for something that only saves bytes. */
const PATIENCE = 20_000;

/** Finds the bases of images, each once. */
export class BaseFinder {
  readonly #search: BaseSearch;
  readonly #ledger: Ledger;
  readonly #options: ContentOptions;
  readonly #onNote: OnNote;
  readonly #resolved = new Map<string, Promise<BaseImage>>();
  readonly #there = new Map<BaseImage, Promise<void>>();
  readonly #told = new Set<string>();
  /** Hosts that did not answer: they are not asked again. */
  readonly #silent = new Set<string>();
  /** Whether a place of bases could not be asked. */
  #isPartial = false;
  #pulled: Promise<readonly PulledImage[]> | undefined;

  /** @param ledger receives the layers of the bases: stated for requested bases, otherwise claimed */
  constructor(search: BaseSearch, ledger: Ledger, onNote: OnNote, options: ContentOptions = {}) {
    this.#search = search;
    this.#ledger = ledger;
    this.#onNote = onNote;
    this.#options = options;
  }

  /**
   * Finds the base of an image: its layers are the first layers of the image, and the registry has all of their blobs
   * now. If none is found, a note says why the requested or probable ones cannot be used.
   */
  async find(query: BaseQuery): Promise<BaseImage | undefined> {
    const { asked = [] } = this.#search;
    const doubts: string[] = [];
    for await (const reference of asked.length > 0 ? asked : this.#candidates(query)) {
      try {
        const { domain } = parseReference(reference);
        if (this.#silent.has(domain)) continue;
        const base = await this.#probe(reference, query);
        if (asked.length > 0) this.#ledger.state(base.layers);
        else this.#ledger.claim(base.layers);
        return base;
      } catch (error) {
        if (!isDrayageError(error)) throw error;
        if (isSilence(error)) {
          this.#isPartial = true;
          this.#silent.add(parseReference(reference).domain);
          this.#onNote(
            `${query.name}: the base ${reference} cannot be used: ${error.message}; its registry is not asked again`,
          );
          continue;
        }
        // A build also uses other images, so only a requested base that does not fit is worth a note.
        if (asked.length > 0 || !isDrayageError(error, 'UNSUPPORTED'))
          doubts.push(`the base ${reference} cannot be used: ${error.message}`);
      }
    }
    this.#tell(query, doubts);
    return undefined;
  }

  /**
   * By reference, the most certain first. Labels and annotations of an image choose no base: whoever made the image
   * would choose whom to ask.
   */
  async *#candidates(query: BaseQuery): AsyncGenerator<string, void, undefined> {
    yield* this.#search.built ?? [];
    yield* await this.#pulledUnder(query);
  }

  /** Once for an image, by whichever name it is looked up. */
  #tell({ name, diffIds }: BaseQuery, doubts: readonly string[]): void {
    const key = diffIds.join(' ');
    if (this.#told.has(key)) return;
    for (const doubt of doubts) this.#onNote(`${name}: ${doubt}`);
    // Where a place could not be asked, that was told instead.
    if (doubts.length === 0 && !this.#isPartial)
      this.#onNote(`${name}: no base image was found in a registry`, 'NO_BASE');
    this.#told.add(key);
  }

  /**
   * @throws {@link DrayageError} also `TIMEOUT` if the registry takes too long; `UNSUPPORTED` if it is not a base of
   * the image
   */
  async #probe(reference: string, query: BaseQuery): Promise<BaseImage> {
    const { patience = PATIENCE } = this.#search;
    const over = AbortSignal.timeout(patience);
    const { signal } = this.#options;
    const options = { signal: eitherSignal(signal, over) };
    try {
      const base = await this.#resolve(reference, query.platform, options);
      if (!base.isUnder(query.diffIds)) throw notUnder(reference, query);
      await this.#assertThere(base, options);
      return base;
    } catch (error) {
      signal?.throwIfAborted();
      if (!over.aborted) throw error;
      throw new DrayageError('TIMEOUT', `no answer within ${patience / 1000} s`, { cause: error });
    }
  }

  async #resolve(reference: string, platform: Platform, options: ContentOptions): Promise<BaseImage> {
    const key = `${reference} ${formatPlatform(platform)}`;
    const known =
      this.#resolved.get(key) ?? BaseImage.resolve(reference, platform, this.#search.openRepository, options);
    this.#resolved.set(key, known);
    return known;
  }

  async #assertThere(base: BaseImage, options: ContentOptions): Promise<void> {
    const known = this.#there.get(base) ?? assertBlobs(base, options);
    this.#there.set(base, known);
    await known;
  }

  /** Those with most layers first, because they omit most. */
  async #pulledUnder({ diffIds }: BaseQuery): Promise<string[]> {
    this.#pulled ??= this.#listPulled();
    const under = (await this.#pulled).filter(
      (image) => image.diffIds.length < diffIds.length && image.diffIds.every((id, i) => id === diffIds[i]),
    );
    const fitting = under.filter((image) => image.diffIds.length > 0);
    return fitting
      .toSorted((a, b) => b.diffIds.length - a.diffIds.length)
      .slice(0, MAX_PULLED)
      .flatMap(({ references }) => references);
  }

  /** A daemon that cannot describe one image may still send another. */
  async #listPulled(): Promise<readonly PulledImage[]> {
    try {
      return (await this.#search.pulled?.()) ?? [];
    } catch (error) {
      if (!isDrayageError(error)) throw error;
      this.#isPartial = true;
      this.#onNote(`no base is sought among the images of the daemon: ${error.message}`);
      return [];
    }
  }
}

/** Whether the registry itself fails, for any request. */
function isSilence(error: DrayageError): boolean {
  const { status = 503 } = error.facts;
  return error.retryable && (status === 429 || status >= 500);
}

function notUnder(reference: string, { name }: BaseQuery): DrayageError {
  return new DrayageError('UNSUPPORTED', `its layers are not the first layers of ${name}`, {
    hint: `name the image that ${name} is built on, of the same version as at its build, instead of ${reference}`,
  });
}

async function assertBlobs({ source, layers, name }: BaseImage, options: ContentOptions): Promise<void> {
  const limit = pLimit(CONCURRENCY);
  const there = await Promise.all(layers.map(({ blob }) => limit(() => source.has(blob, options))));
  const missing = layers[there.indexOf(false)]?.blob.digest;
  if (missing === undefined) return;
  throw new DrayageError('NOT_FOUND', `its registry does not have layer ${missing}`, {
    digest: missing,
    url: name,
  });
}
