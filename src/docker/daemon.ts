import type { Readable } from 'node:stream';
import type { ContentOptions, ContentSource } from '../content/source.ts';
import type {
  ImageEndpoint,
  ImageTags,
  ImageUse,
  InspectImageOptions,
  LoadOptions,
  LoadResult,
  SaveArchiveOptions,
} from '../content/endpoint.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Platform } from '../oci/platform.ts';
import { Cleanups } from './cleanups.ts';
import { containerdStore } from './containerd.ts';
import { listUses } from './containers.ts';
import { graphStore } from './graph.ts';
import type { DaemonImage, ListedImage } from './images.ts';
import { Images } from './images.ts';
import type { DaemonFacts, DaemonKind } from './connect/kind.ts';
import { atLeast } from './connect/kind.ts';
import { loadImage } from './load.ts';
import { imagePlatforms } from './platforms.ts';
import { podmanStore } from './podman.ts';
import type { ReachOptions } from './connect/reach.ts';
import { reachDaemon } from './connect/reach.ts';
import { openSave } from './save.ts';
import type { Store } from './store.ts';
import type { Transport } from './connect/transport.ts';

/** Options of {@link connectDocker}. */
export interface DockerOptions extends ReachOptions {
  /**
   * How often the daemon is asked for a sign of life while it saves or loads, in ms; it counts as dead when it gives none
   * three times. Default 10 seconds.
   */
  probeInterval?: number | undefined;
}

/** Options of {@link DockerDaemon.remove}. */
export interface RemoveOptions extends ContentOptions {
  /** Also where a stopped container uses the image or, given an ID, where it has several names. Default false. */
  force?: boolean | undefined;
}

const STORES: Record<DaemonKind, Store> = {
  graph: graphStore,
  containerd: containerdStore,
  podman: podmanStore,
};

/**
 * Connects to a docker daemon, or to podman's service, and finds out what it is.
 * @throws {@link DrayageError} `UNREACHABLE` or `TIMEOUT` with the address that was tried; `UNSUPPORTED` where what listens is
 * no docker or too old, or for an address of a kind that is not supported, `USAGE` for one that is none, or where the daemon
 * does not take the client's certificate; `UNSAFE` where the daemon's certificate is not to be trusted; `NOT_FOUND` or
 * `MALFORMED` for the certificates of this side
 */
export async function connectDocker(options: DockerOptions = {}): Promise<DockerDaemon> {
  const { transport, facts } = await reachDaemon(options);
  return new DockerDaemon(transport, facts, options.probeInterval ?? 10_000);
}

/**
 * A docker daemon, or podman's service. Made by {@link connectDocker}.
 *
 * Beside the errors that each method names, all of them fail with `UNREACHABLE` when the connection breaks, with `DAEMON` and
 * the daemon's own words when it refuses, and with `signal.reason` when they are aborted.
 */
export class DockerDaemon implements ImageEndpoint, ImageTags, AsyncDisposable {
  /** Its address, without credentials. */
  readonly host: string;
  /** What keeps its images. */
  readonly kind: DaemonKind;
  /** The version of the Engine API that is spoken with it. */
  readonly apiVersion: string;
  /** The daemon's own version. */
  readonly serverVersion: string;
  readonly #transport: Transport;
  readonly #images: Images;
  readonly #platform: Platform;
  readonly #probeInterval: number;
  readonly #cleanups = new Cleanups();

  /** @internal */
  constructor(transport: Transport, facts: DaemonFacts, probeInterval: number) {
    this.host = transport.host.name;
    this.kind = facts.kind;
    this.apiVersion = facts.apiVersion;
    this.serverVersion = facts.serverVersion;
    this.#platform = facts.platform;
    this.#transport = transport;
    this.#images = new Images(transport, facts.kind);
    this.#probeInterval = probeInterval;
  }

  /** What the daemon runs on. */
  async platform(): Promise<Platform> {
    return this.#platform;
  }

  /**
   * Finds an image.
   * @param image a reference, `latest` where it has no tag, or an image ID, also shortened
   * @throws {@link DrayageError} `NOT_FOUND` with the nearest names that the daemon has
   */
  async inspect(image: string, options: InspectImageOptions = {}): Promise<DaemonImage> {
    const manifests = options.platforms === true && this.#canChoose;
    const found = await this.#images.inspect(image, { signal: options.signal, manifests });
    return options.platforms === true ? { ...found, platforms: imagePlatforms(this.kind, found) } : found;
  }

  /** All images, also those without a name, but not those that are only a step of another one's build. */
  async list(options: ContentOptions = {}): Promise<ListedImage[]> {
    return this.#images.list(options);
  }

  /**
   * Gives an image one more name. The name moves if another image has it.
   * @throws {@link DrayageError} `NOT_FOUND`, `USAGE` for what cannot be a name
   */
  async tag(image: string, name: string, options: ContentOptions = {}): Promise<void> {
    return this.#images.tag(image, name, options);
  }

  /**
   * Takes a name away; the image goes with its last one. Given an ID, the image goes.
   * @throws {@link DrayageError} `NOT_FOUND`; `DAEMON` with status 409 where the image is in use
   */
  async remove(image: string, options: RemoveOptions = {}): Promise<void> {
    return this.#images.remove(image, options);
  }

  /** The images that its containers use, running or not. */
  async uses({ signal }: ContentOptions = {}): Promise<ImageUse[]> {
    return listUses(this.#transport, this.kind, { signal });
  }

  /** Whether an archive is packed whole before its first byte comes, as all but containerd stores do. */
  get spools(): boolean {
    return this.kind !== 'containerd';
  }

  /**
   * Opens the archive of one image, as `docker save` writes it, or of several. The stream fails if the connection breaks; what
   * else the daemon does wrong shows in the archive only: an error of its own may be written behind a part of it.
   *
   * With `held`, a containerd store of API 1.48 and later gives an OCI archive that lacks what is held.
   * @param images a reference, `latest` where it has no tag, or an image ID: the archive names no image then. Several at once
   * make docker's own store lose count of the layers that they share, which matters on a daemon that lives on
   * @throws {@link DrayageError} `NOT_FOUND` with the nearest names that the daemon has
   */
  async save(images: string | readonly string[], options: SaveArchiveOptions = {}): Promise<Readable> {
    const target = {
      transport: this.#transport,
      images: this.#images,
      interval: this.#probeInterval,
      canChoose: this.#canChoose,
      cleanups: this.#cleanups,
    };
    return openSave(target, images, options);
  }

  /**
   * Puts an image into the daemon, and verifies that it is there: its ID, every diffID, and where the daemon tells, all its
   * content. Layers that the daemon proves to hold are neither read nor sent. After a failure names mean what they meant.
   * @param names of these, the first may be set by the load itself: it should be one that nobody uses for anything else. The
   * others move after the image was verified. With none, the image stays without a name
   * @throws {@link DrayageError} `DAEMON` where the daemon fails, or does not hold what it says it has loaded; `USAGE` for
   * what cannot be a name; whatever `source` says of damaged content
   */
  async load(
    root: Descriptor,
    source: ContentSource,
    names: readonly string[],
    options: LoadOptions = {},
  ): Promise<LoadResult> {
    const target = {
      transport: this.#transport,
      images: this.#images,
      store: STORES[this.kind],
      platform: this.#platform,
      interval: this.#probeInterval,
    };
    return loadImage(target, root, source, names, options);
  }

  /** Ends all connections. Whatever is under way fails; what has to be removed from the daemon is removed first. */
  async close(): Promise<void> {
    await this.#cleanups.done();
    await this.#transport.close();
  }

  get #canChoose(): boolean {
    return this.kind === 'containerd' && atLeast(this.apiVersion, '1.48');
  }

  /** As {@link close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
