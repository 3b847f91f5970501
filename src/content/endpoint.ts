import type { ContentOptions, ContentSource } from './source.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { Platform } from '../oci/platform.ts';
import type { Readable } from 'node:stream';

/** What came of a load. */
export interface LoadResult {
  /** What this daemon calls the image: its config digest, or its manifest digest on a containerd store. */
  daemonId: Digest;
  /** `present`: it was there as a whole, and only names were set. */
  status: 'loaded' | 'present';
  layersSent: number;
  /** Layers that the daemon had, so that they were neither read nor sent. */
  layersPresent: number;
  /** Bytes that went to the daemon. */
  bytesSent: number;
  /** The names that meant another image before, and what this daemon calls that. */
  moved: { name: string; from: Digest }[];
}

/** Options of {@link ImageEndpoint.load}. */
export interface LoadOptions extends ContentOptions {
  /** Sends everything, whatever the daemon has. Default false: only what it lacks. */
  full?: boolean | undefined;
  /** Called with each number of bytes that has gone out. */
  onSent?: ((bytes: number) => void) | undefined;
}

/** What a daemon says of an image it has. */
export interface EndpointImage {
  /** What this daemon calls it: the config digest, or the root's digest on a containerd store. */
  id: Digest;
  /** Familiar references with their tags; none where the image has no name. */
  names: string[];
  /** Of its layers, bottom first; none where the daemon finds the image broken. */
  diffIds: Digest[];
  /** By which digests it is known in registries, as `name@sha256:…`; a containerd store says so of its own images as well. */
  digests?: string[] | undefined;
  /** The labels of its config. Absent where the daemon does not tell. */
  labels?: Readonly<Record<string, string>> | undefined;
  /** What it is for: of a multi-platform image, what the daemon holds whole of it. Absent where the daemon does not tell. */
  platforms?: { platform: Platform; digest: Digest }[] | undefined;
}

/** Options of {@link ImageEndpoint.inspect}. */
export interface InspectImageOptions extends ContentOptions {
  /** Whether it matters which platforms the image is for: to find out may take longer. Default false. */
  platforms?: boolean | undefined;
}

/** Options of {@link ImageEndpoint.save}. */
export interface SaveArchiveOptions extends ContentOptions {
  /** Of a multi-platform image only the one for this platform, where the daemon can choose; else all may come. */
  platform?: Platform | undefined;
  /**
   * Tells which of these blobs are held already. They may be left out of the archive, which then names them all the same.
   * Called before the archive is handed over, if at all.
   */
  held?: ((blobs: readonly Descriptor[]) => Promise<ReadonlySet<Digest>>) | undefined;
}

/** A daemon is no blob store: whole images go in and out. */
export interface ImageEndpoint {
  /**
   * Finds an image.
   * @param image a reference, `latest` where it has no tag, or an image ID, also shortened
   * @throws {@link DrayageError} `NOT_FOUND` with the nearest names that the daemon has, `UNREACHABLE`
   */
  inspect(image: string, options?: InspectImageOptions): Promise<EndpointImage>;
  /** What the daemon runs on: the platform that a multi-platform image is loaded for. */
  platform(options?: ContentOptions): Promise<Platform>;
  /**
   * Puts an image into the daemon under these names, and verifies that it is there: the config, every diffID. Layers that
   * the daemon proves to hold are neither read from `source` nor sent. The names move last; after a failure they mean what
   * they meant.
   * @throws {@link DrayageError} `DAEMON`, `UNREACHABLE`, and whatever `source` says of damaged content
   */
  load(
    root: Descriptor,
    source: ContentSource,
    names: readonly string[],
    options?: LoadOptions,
  ): Promise<LoadResult>;
  /** Whether an archive is packed whole before its first byte comes: the next may be asked for meanwhile. Default false. */
  readonly spools?: boolean | undefined;
  /**
   * Opens the archive of one image, without its names where it is given by ID, or of several.
   * @param images a reference, `latest` where it has no tag, or an image ID
   * @throws {@link DrayageError} `NOT_FOUND`, `UNREACHABLE`
   */
  save(images: string | readonly string[], options?: SaveArchiveOptions): Promise<Readable>;
}

/** An image of a daemon by its names alone. */
export type NamedImage = Omit<EndpointImage, 'diffIds' | 'labels'>;

/** That a container uses an image, whether it runs or not. */
export interface ImageUse {
  /** The name of the container, or its ID where it has none. */
  container: string;
  /** The daemon's ID of the image. */
  image: string;
  /** The name under which the container was made, in its familiar form; an ID where it was made by that. */
  name: string;
}

/** The names of a daemon's images, and what keeps those images from being removed. */
export interface ImageTags {
  /** All images, also those without a name. */
  list(options?: ContentOptions): Promise<NamedImage[]>;
  /**
   * Gives an image one more name. The name moves if another image has it.
   * @throws {@link DrayageError} `NOT_FOUND`
   */
  tag(image: string, name: string, options?: ContentOptions): Promise<void>;
  /**
   * Takes a name away; the image goes with its last one.
   * @throws {@link DrayageError} `NOT_FOUND`; `DAEMON` with status 409 where a container uses the image
   */
  remove(name: string, options?: ContentOptions): Promise<void>;
  /** The images that containers use. */
  uses(options?: ContentOptions): Promise<ImageUse[]>;
}
