import { Readable } from 'node:stream';
import type { ContentOptions, ContentSource } from '../content/source.ts';
import type {
  DaemonIdentity,
  ImageEndpoint,
  ImageTags,
  ImageUse,
  InspectImageOptions,
  LastingEndpoint,
  EndpointLoadOptions,
  EndpointLoadResult,
  ReferOptions,
  ReferredImage,
  SaveArchiveOptions,
} from '../content/endpoint.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Platform } from '../oci/platform.ts';
import { Cleanups } from './connect/cleanups.ts';
import { listUses } from './images/containers.ts';
import type { DaemonImage, ImageSummary } from './images/description.ts';
import { Images } from './images/images.ts';
import type { DaemonFacts } from './connect/greet.ts';
import { atLeast } from './connect/greet.ts';
import type { DaemonKind } from './kinds/kinds.ts';
import { storeOf } from './kinds/kinds.ts';
import type { LoadTarget } from './transfer/delivery.ts';
import { loadImage } from './transfer/load.ts';
import type { SaveTarget } from './transfer/request-archive.ts';
import type { ReachOptions } from './connect/reach.ts';
import { reachDaemon } from './connect/reach.ts';
import { withImage } from './transfer/by-config.ts';
import { readIdentity } from './transfer/identity.ts';
import { referImage } from './transfer/refer.ts';
import { sendArchive } from './transfer/send.ts';
import { paced } from '../progress.ts';
import { openSave } from './transfer/save.ts';
import type { Store } from './kinds/store.ts';
import type { Transport } from './connect/transport.ts';

/** Options of {@link connectDocker}. */
export interface DockerOptions extends ReachOptions {
  /**
   * How often to ping the daemon while it saves or loads, in ms. It counts as dead after three pings without an answer.
   * Default 10 seconds.
   */
  probeInterval?: number | undefined;
}

/** Options of {@link DockerDaemon.remove}. */
export interface RemoveOptions extends ContentOptions {
  /** Also removes an image that a stopped container uses or, given by ID, that has several names. Default false. */
  force?: boolean | undefined;
}

/**
 * Connects to a docker daemon, or to podman's service, and asks for its kind.
 * @throws {@link DrayageError} `UNREACHABLE` or `TIMEOUT` with the address; `UNSUPPORTED` if the server is not docker
 * or too old, or for an unsupported kind of address; `USAGE` for an invalid address, or if the daemon refuses the
 * client's certificate; `UNSAFE` if the daemon's certificate is not trusted; `NOT_FOUND` or `MALFORMED` for the
 * client's certificates
 * @example
 * ```ts
 * import { connectDocker, resolveDockerHost } from 'drayage';
 *
 * await using docker = await connectDocker(await resolveDockerHost(env));
 * console.log(docker.title, (await docker.inspect('app:1')).id);
 * ```
 */
export async function connectDocker(options: DockerOptions = {}): Promise<DockerDaemon> {
  return DockerDaemon.connect(options);
}

/**
 * A docker daemon, or podman's service. Made by {@link connectDocker}.
 *
 * Besides the errors of each method, all methods fail with `UNREACHABLE` when the connection breaks, with `DAEMON` and
 * the daemon's message when it refuses, and with `signal.reason` when aborted.
 */
export class DockerDaemon implements ImageEndpoint, ImageTags, LastingEndpoint, AsyncDisposable {
  /** Its address, without credentials. */
  readonly host: string;
  /** The kind of its image store. */
  readonly kind: DaemonKind;
  /** The daemon and its image store in words: `docker with the containerd image store`. */
  readonly title: string;
  /** The version of the Engine API that is used with it. */
  readonly apiVersion: string;
  /** The daemon's own version. */
  readonly serverVersion: string;
  readonly #target: LoadTarget & SaveTarget;
  readonly #info: DaemonFacts<unknown>['info'];

  private constructor(transport: Transport, facts: DaemonFacts<Store<DaemonKind>>, probeInterval: number) {
    this.host = transport.host.name;
    this.kind = facts.kind.kind;
    this.title = facts.kind.title;
    this.apiVersion = facts.apiVersion;
    this.serverVersion = facts.serverVersion;
    this.#info = facts.info;
    const { kind: store, platform } = facts;
    this.#target = {
      transport,
      store,
      platform,
      images: new Images(transport, store.ownDomain),
      interval: probeInterval,
      canChoose: store.choosesSince !== undefined && atLeast(facts.apiVersion, store.choosesSince),
      cleanups: new Cleanups(),
    };
  }

  /** As {@link connectDocker}. */
  static async connect(options: DockerOptions = {}): Promise<DockerDaemon> {
    const { transport, facts } = await reachDaemon(storeOf, options);
    return new DockerDaemon(transport, facts, options.probeInterval ?? 10_000);
  }

  /** The platform that the daemon runs on. */
  async platform(): Promise<Platform> {
    return this.#target.platform;
  }

  /**
   * Finds an image.
   * @param image a reference (without a tag: `latest`), or an image ID, full or shortened: the daemon's own, or the
   * config digest (on a containerd store from API 1.48)
   * @throws {@link DrayageError} `NOT_FOUND` with the nearest names in the daemon; `AMBIGUOUS` if a shortened ID means
   * several images
   */
  async inspect(image: string, options: InspectImageOptions = {}): Promise<DaemonImage> {
    const manifests = options.platforms === true && this.#target.canChoose;
    const { images } = this.#target;
    const found = await withImage(this.#target, image, options, async (own) =>
      images.inspect(own, { signal: options.signal, manifests }),
    );
    return options.platforms === true ? { ...found, platforms: this.#target.store.platforms(found) } : found;
  }

  /** All images, also unnamed ones. Intermediate images of a build are not listed. */
  async list(options: ContentOptions = {}): Promise<ImageSummary[]> {
    return this.#target.images.list(options);
  }

  /**
   * Gives an image one more name. The name moves if another image has it.
   * @throws {@link DrayageError} `NOT_FOUND`; `USAGE` for an invalid name
   */
  async tag(image: string, name: string, options: ContentOptions = {}): Promise<void> {
    return withImage(this.#target, image, options, async (own) =>
      this.#target.images.tag(own, name, options),
    );
  }

  /**
   * Removes a name; the image goes with its last name. Given an ID, removes the image.
   * @throws {@link DrayageError} `NOT_FOUND`; `DAEMON` with status 409 if the image is in use
   */
  async remove(image: string, options: RemoveOptions = {}): Promise<void> {
    return withImage(this.#target, image, options, async (own) => this.#target.images.remove(own, options));
  }

  /** The images that its containers use, running or stopped. */
  async uses({ signal }: ContentOptions = {}): Promise<ImageUse[]> {
    const { transport, store } = this.#target;
    return listUses(transport, store.ownDomain, { signal });
  }

  /** Whether the daemon packs a whole archive before it sends the first byte, as all but containerd stores do. */
  get spools(): boolean {
    return this.#target.store.spools;
  }

  /**
   * Opens the archive of one image, as `docker save` writes it, or of several. The stream fails if the connection
   * breaks. Other failures of the daemon show only in the archive: it may write an error after a part of it.
   *
   * With `held`, a containerd store of API 1.48 and later sends an OCI archive without the held content.
   * @param images a reference (without a tag: `latest`), or an image ID: then the archive names no image. Requesting
   * several at once makes docker's own store lose count of their shared layers, which matters on a long-lived daemon
   * @throws {@link DrayageError} `NOT_FOUND` with the nearest names in the daemon
   */
  async save(images: string | readonly string[], options: SaveArchiveOptions = {}): Promise<Readable> {
    return openSave(this.#target, images, options);
  }

  /**
   * Puts an image into the daemon and verifies it there: its ID, every diffID, and, if the daemon says, all of its
   * content. Layers that the daemon proves to hold are neither read nor sent. After a failure, names mean what they
   * meant before.
   * @param names the load itself may set the first one: use a name that nobody else uses. The others move after the
   * image was verified. Without names the image stays unnamed
   * @throws {@link DrayageError} `DAEMON` if the daemon fails, or does not hold what it reports as loaded; `USAGE` for
   * an invalid name; errors of `source` for damaged content
   */
  async load(
    root: Descriptor,
    source: ContentSource,
    names: readonly string[],
    options: EndpointLoadOptions = {},
  ): Promise<EndpointLoadResult> {
    return loadImage(this.#target, root, source, names, options);
  }

  /**
   * Loads an archive as it is, as `docker load` does: the daemon alone checks it, and the names in it move. `load` of an opened
   * archive checks images first.
   * @returns what the daemon reports as loaded: names, or IDs of unnamed images
   * @throws {@link DrayageError} `DAEMON` with the daemon's message if it refuses; errors of the archive's bytes
   */
  async loadArchive(
    archive: AsyncIterable<Uint8Array>,
    { signal, onProgress }: Omit<EndpointLoadOptions, 'full'> = {},
  ): Promise<string[]> {
    return paced({ onProgress }, async (thinned) => {
      const onSent = (bytes: number): void =>
        thinned.onProgress?.({ kind: 'bytes', direction: 'sent', bytes });
      return sendArchive(this.#target, Readable.from(archive, { objectMode: false }), { signal, onSent });
    });
  }

  /**
   * What tells this daemon from others, as long as it keeps its images: as it said when it was connected.
   * @throws {@link DrayageError} `UNSAFE` for podman, which makes up an ID for each answer
   */
  async identity(options: ContentOptions = {}): Promise<DaemonIdentity> {
    return readIdentity(this.#target, this.#info, options);
  }

  /**
   * Describes an image by everything that identifies it. Of a containerd store, reads its manifest and index.
   * @param image a reference (without a tag: `latest`), or an image ID, full or shortened
   * @throws {@link DrayageError} `NOT_FOUND` with the nearest names in the daemon; `UNSAFE` if a containerd store does
   * not say what the image consists of, as before API 1.48
   */
  async refer(image: string, options: ReferOptions = {}): Promise<ReferredImage> {
    return referImage(this.#target, image, options);
  }

  /** Closes all connections. Pending requests fail. Content that must not stay in the daemon is removed first. */
  async close(): Promise<void> {
    await this.#target.cleanups.done();
    await this.#target.transport.close();
  }

  /** As {@link close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
