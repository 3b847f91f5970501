import type { Readable } from 'node:stream';
import type { EndpointLoadOptions } from '../../content/endpoint.ts';
import { DrayageError, isDrayageError } from '../../errors.ts';
import { proveAll } from '../../image/prove.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Platform } from '../../oci/platform.ts';
import { cleanupSignal } from '../connect/cleanups.ts';
import type { Images } from '../images/images.ts';
import { sendArchive } from './send.ts';
import type { LayerReport } from './layer-report.ts';
import type { ImageToLoad, Held, Store } from '../kinds/store.ts';
import { heldNothing } from '../kinds/store.ts';
import type { Transport } from '../connect/transport.ts';

/** How often an archive is sent at most, when other loads of the same image interfere. */
const MAX_ATTEMPTS = 5;

/** The daemon that an image is loaded into. */
export interface LoadTarget {
  transport: Transport;
  images: Images;
  store: Store;
  platform: Platform;
  /** The interval of pings, in ms. */
  interval: number;
}

/** Options of a {@link Delivery}. */
export interface DeliveryOptions extends EndpointLoadOptions {
  layers: LayerReport;
}

/**
 * Loads one image into a daemon. First it sends only what the daemon does not prove to hold. If the daemon refuses
 * that, or the result is wrong, it sends everything once. Call `cleanUp` afterwards, and before it `abandon` if the
 * load failed.
 */
export class Delivery {
  /** Bytes sent to the daemon, including those of questions and failed attempts. */
  bytesSent = 0;
  /** The name under which the image is sent, once it is sent. */
  staged: string | undefined;
  readonly #target: LoadTarget;
  readonly #toLoad: ImageToLoad;
  readonly #anchor: string | undefined;
  readonly #options: DeliveryOptions;
  #held: Held | undefined;
  #wasThere = true;

  /** @param anchor the name that the image gets first */
  constructor(target: LoadTarget, toLoad: ImageToLoad, anchor: string | undefined, options: DeliveryOptions) {
    this.#target = target;
    this.#toLoad = toLoad;
    this.#anchor = anchor;
    this.#options = options;
  }

  /**
   * Sends the image and verifies it in the daemon.
   * @returns for each layer whether the daemon had it
   */
  async deliver(): Promise<readonly boolean[]> {
    const { store, images } = this.#target;
    const { signal, full } = this.#options;
    this.#wasThere = (await images.find(store.idOf(this.#toLoad), { signal })) !== undefined;
    this.staged = store.stagedName(this.#toLoad, this.#anchor);
    if (full === true) return this.#deliverAll();
    const send = async (archive: Readable): Promise<void> => this.#send(archive);
    const held = await store.probe({ images, send }, this.#toLoad, this.staged, { signal });
    this.#held = held;
    this.#options.layers.reused(held.layers);
    try {
      if (!held.loaded) await this.#sendWithout(held.omit);
      await this.#verify();
      return held.layers;
    } catch (error) {
      if (!isDrayageError(error, 'DAEMON')) throw error;
      const isWhole = !held.loaded && held.omit.size === 0;
      if (!isWhole) return this.#deliverAll();
      await this.#verifyLayers();
      throw error;
    }
  }

  /** Removes an unnamed image that was not there before. */
  async abandon(): Promise<void> {
    if (this.#wasThere) return;
    const { store, images } = this.#target;
    const options = { signal: cleanupSignal() };
    const left = await images.find(store.idOf(this.#toLoad), options);
    if (left?.names.length === 0) await images.remove(left.id, options);
  }

  /** Removes what only the delivery needed. */
  async cleanUp(): Promise<void> {
    const { images } = this.#target;
    await this.#held?.release();
    if (this.staged === undefined || this.staged === this.#anchor) return;
    // It may be gone: another load of the same image uses the same name.
    await images.remove(this.staged, { signal: cleanupSignal() }).catch(() => undefined);
  }

  async #deliverAll(): Promise<readonly boolean[]> {
    try {
      await this.#sendWithout(new Set());
      await this.#verify();
    } catch (error) {
      if (isDrayageError(error, 'DAEMON')) await this.#verifyLayers();
      throw error;
    }
    return heldNothing(this.#toLoad).layers;
  }

  /** Daemons refuse layers with wrong diffIDs, each with its own message: this checks whether that is the reason. */
  async #verifyLayers(): Promise<void> {
    const { image, source } = this.#toLoad;
    await proveAll(source, image.layers, { signal: this.#options.signal });
  }

  async #sendWithout(omit: ReadonlySet<Digest>): Promise<void> {
    const { signal, onProgress, layers } = this.#options;
    const onBlob = layers.written;
    onProgress?.({ kind: 'phase', phase: 'sending' });
    const names = this.staged === undefined ? [] : [this.staged];
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#send(this.#target.store.archive(this.#toLoad, { names, omit }, { signal, onBlob }));
        return;
      } catch (error) {
        if (attempt === MAX_ATTEMPTS || !isTaken(error)) throw error;
      }
    }
  }

  async #send(archive: Readable): Promise<void> {
    const { signal, onProgress } = this.#options;
    await sendArchive(this.#target, archive, {
      signal,
      onSent: (bytes) => {
        this.bytesSent += bytes;
        onProgress?.({ kind: 'bytes', direction: 'sent', bytes });
      },
    });
  }

  async #verify(): Promise<void> {
    const { store, images, transport } = this.#target;
    this.#options.onProgress?.({ kind: 'phase', phase: 'verifying' });
    const flaw = await store.flaw(images, this.#toLoad, { signal: this.#options.signal });
    if (flaw === undefined) return;
    const id = store.idOf(this.#toLoad);
    const message = `docker at ${transport.host.name} reports that it loaded ${id}, but ${flaw}`;
    throw new DrayageError('DAEMON', message, {
      expected: id,
      url: transport.host.name,
      hint: 'load it again; if that does not help, the log of the daemon may say why',
    });
  }
}

/** A containerd store may refuse a name to the later one of two concurrent loads of one image. */
function isTaken(error: unknown): boolean {
  return isDrayageError(error, 'DAEMON') && /^AlreadyExists\b/.test(String(error.facts.actual));
}
