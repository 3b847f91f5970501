import type { ContentOptions, ContentSource } from './source.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { Document } from '../oci/manifest.ts';
import type { Platform, PlatformOption } from '../oci/platform.ts';
import type { OnProgress } from '../progress.ts';
import type { Readable } from 'node:stream';

/** Result of a load. */
export interface EndpointLoadResult {
  /** This daemon's ID of the image: the config digest; on a containerd store the root's digest. */
  daemonId: Digest;
  /** `present`: the daemon had the whole image, and only names were set. */
  status: 'loaded' | 'present';
  layersSent: number;
  /** Number of layers that the daemon had, so that they were neither read nor sent. */
  layersPresent: number;
  /** Bytes sent to the daemon. */
  bytesSent: number;
  /** The names that meant another image before, and this daemon's ID of that image. */
  moved: { name: string; from: Digest }[];
}

/** Options of {@link ImageEndpoint.load}. */
export interface EndpointLoadOptions extends ContentOptions {
  /** Sends everything, whatever the daemon has. Default false: only what it lacks. */
  full?: boolean | undefined;
  /** Hears of the bytes that are sent, of each layer (of a multi-platform image, those of one platform), and of phases. */
  onProgress?: OnProgress | undefined;
}

/** A daemon's description of an image. */
export interface EndpointImage {
  /** This daemon's ID of it: the config digest; on a containerd store the root's digest. */
  id: Digest;
  /** Familiar references with their tags; empty for an unnamed image. */
  names: string[];
  /** DiffIDs of its layers, bottom first; empty if the daemon considers the image broken. */
  diffIds: Digest[];
  /** Its digests in registries, as `name@sha256:…`; a containerd store reports them for its own images as well. */
  digests?: string[] | undefined;
  /** The labels of its config. Absent if the daemon does not report them. */
  labels?: Readonly<Record<string, string>> | undefined;
  /**
   * Its platforms; of a multi-platform image, those of its images that the daemon holds completely. Absent if the
   * daemon does not report them.
   */
  platforms?: { platform: Platform; digest: Digest }[] | undefined;
}

/** Options of {@link ImageEndpoint.inspect}. */
export interface InspectImageOptions extends ContentOptions {
  /** Whether to report platforms, which may take longer. Default false. */
  platforms?: boolean | undefined;
}

/** Options of {@link ImageEndpoint.save}. If the daemon cannot choose a `platform`, all images may arrive. */
export interface SaveArchiveOptions extends ContentOptions, PlatformOption {
  /**
   * Says which of these blobs are held already. The archive may omit them, but still names them. Called, if at all,
   * before the archive is returned.
   */
  held?: ((blobs: readonly Descriptor[]) => Promise<ReadonlySet<Digest>>) | undefined;
}

/** A daemon is not a blob store: whole images go in and out. */
export interface ImageEndpoint {
  /**
   * Finds an image.
   * @param image a reference (without a tag: `latest`), or an image ID, full or shortened
   * @throws {@link DrayageError} `NOT_FOUND` with the nearest names in the daemon; `UNREACHABLE`
   */
  inspect(image: string, options?: InspectImageOptions): Promise<EndpointImage>;
  /** The daemon's own platform: the default of a multi-platform image. */
  platform(options?: ContentOptions): Promise<Platform>;
  /**
   * Puts an image into the daemon under these names, and verifies it there: the config and every diffID. Layers that
   * the daemon proves to hold are neither read from `source` nor sent. The names move last; after a failure they mean
   * what they meant before.
   * @throws {@link DrayageError} `DAEMON`, `UNREACHABLE`; errors of `source` for damaged content
   */
  load(
    root: Descriptor,
    source: ContentSource,
    names: readonly string[],
    options?: EndpointLoadOptions,
  ): Promise<EndpointLoadResult>;
  /**
   * Whether the daemon packs a whole archive before it sends the first byte, so that the next one may be requested
   * meanwhile. Default false.
   */
  readonly spools?: boolean | undefined;
  /**
   * Opens the archive of one image (without its names if it is given by ID), or of several.
   * @param images a reference (without a tag: `latest`), or an image ID
   * @throws {@link DrayageError} `NOT_FOUND`, `UNREACHABLE`
   */
  save(images: string | readonly string[], options?: SaveArchiveOptions): Promise<Readable>;
}

/** What tells one daemon from another: it stays the same as long as the daemon keeps its images. */
export interface DaemonIdentity {
  /** The ID that the daemon gives itself. Copies of one machine may share it. */
  id: string;
  /** The name of the daemon's machine. */
  name: string;
  /** The folder in which the daemon keeps its images. */
  root: string;
}

/** Everything that identifies an image in a daemon, without its layers. */
export interface ReferredImage {
  /** The daemon's own ID of the image. */
  image: Digest;
  /** The config digest. */
  id: Digest;
  /** Familiar references with their tags; empty for an unnamed image. */
  names: readonly string[];
  /** DiffIDs of its layers, bottom first. */
  diffIds: readonly Digest[];
  platform: Platform;
  /** RFC 3339 time of the build, if known. */
  created?: string | undefined;
  /** Labels of the config. */
  labels?: Readonly<Record<string, string>> | undefined;
  /**
   * The documents that lead from `image` to `id`: the manifest; or the index, and the manifest that it lists. Empty if
   * the daemon's ID is the config digest.
   */
  documents: readonly Document[];
}

/** Options of {@link LastingEndpoint.refer}. */
export interface ReferOptions extends ContentOptions {
  /** Documents of the image that need not be read again. Default: none. */
  known?: readonly Document[] | undefined;
}

/** A daemon that outlasts a job, so that one job may refer to an image that another job made in it. */
export interface LastingEndpoint {
  /** @throws {@link DrayageError} `UNSAFE` if the daemon has no ID that lasts; `UNREACHABLE` */
  identity(options?: ContentOptions): Promise<DaemonIdentity>;
  /**
   * Describes an image. Reads documents at most, never a layer.
   * @param image a reference (without a tag: `latest`), or an image ID, full or shortened
   * @throws {@link DrayageError} `NOT_FOUND`; `UNSAFE` if the daemon does not say which config the image has
   */
  refer(image: string, options?: ReferOptions): Promise<ReferredImage>;
}

/** An image in a daemon's list. */
export type NamedImage = Omit<EndpointImage, 'diffIds' | 'labels'>;

/** A container that uses an image, running or stopped. */
export interface ImageUse {
  /** The name of the container; its ID if it has no name. */
  container: string;
  /** The daemon's ID of the image. */
  image: string;
  /** The name under which the container was made, in its familiar form; an ID if it was made by ID. */
  name: string;
}

/** The names of a daemon's images, and the containers that protect those images. */
export interface ImageTags {
  /** All images, also unnamed ones. */
  list(options?: ContentOptions): Promise<NamedImage[]>;
  /**
   * Gives an image one more name. The name moves if another image has it.
   * @throws {@link DrayageError} `NOT_FOUND`
   */
  tag(image: string, name: string, options?: ContentOptions): Promise<void>;
  /**
   * Removes a name; the image goes with its last name.
   * @throws {@link DrayageError} `NOT_FOUND`; `DAEMON` with status 409 if a container uses the image
   */
  remove(name: string, options?: ContentOptions): Promise<void>;
  /** The images that containers use. */
  uses(options?: ContentOptions): Promise<ImageUse[]>;
}
