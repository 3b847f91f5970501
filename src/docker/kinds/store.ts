import { count } from '../../text/count.ts';
import type { Readable } from 'node:stream';
import type { BlobArchiveOptions } from '../../archive/write/options.ts';
import type { ContentOptions, ContentSource } from '../../content/source.ts';
import type { Image } from '../../image/image.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import type { EndpointImage } from '../../content/endpoint.ts';
import type { DaemonSigns } from '../connect/greet.ts';
import type { DaemonImage } from '../images/description.ts';
import type { Images } from '../images/images.ts';

/** An image on its way into a daemon. */
export interface ImageToLoad {
  root: Descriptor;
  /** The image for the daemon's platform below the root. */
  image: Image;
  source: ContentSource;
}

/** A daemon as its store uses it. */
export interface StoreAccess {
  images: Images;
  /** Sends an archive to be loaded. If the daemon refuses, its message is the error's `facts.actual`. */
  send: (archive: Readable) => Promise<void>;
}

/** What a daemon proves to hold of an image. */
export interface Held {
  /** For each layer of the image, bottom first, whether it is there. */
  layers: readonly boolean[];
  /** What the archive may omit: digests as {@link Store.archive} understands them. */
  omit: ReadonlySet<Digest>;
  /** Whether the question has loaded the image already, so that nothing is left to send. */
  loaded: boolean;
  /** Removes what the question left in the daemon. Held content may be garbage-collected from then on. */
  release(): Promise<void>;
}

/** The content of an archive. */
interface ArchiveContent {
  names: readonly string[];
  /** {@link Held.omit} */
  omit: ReadonlySet<Digest>;
}

/** One kind of daemon: how it is told from others, what it can do, and how it loads images. */
export interface Store<Kind extends string = string> {
  kind: Kind;
  /** Such a daemon in words. */
  title: string;
  /** Whether a daemon is of this kind, by its signs. */
  isOf(signs: DaemonSigns): boolean | Promise<boolean>;
  /** The domain under which the daemon keeps its own images, where docker has none. */
  ownDomain?: string;
  /** Whether the daemon's own ID stays the same from one answer to the next. */
  hasIdentity: boolean;
  /** Whether the ID of an image is its config digest. Otherwise it is the digest of its manifest or index. */
  namesByConfig: boolean;
  /** Whether the daemon packs a whole archive before it sends the first byte. */
  spools: boolean;
  /** The API version since which single blobs, and one platform of several, can be requested. Absent if never. */
  choosesSince?: string;
  /** The platforms of an image; undefined if the daemon does not say. */
  platforms(image: DaemonImage): EndpointImage['platforms'];
  /** The image with the digests by which the daemon knows it and its content. */
  prepare(toLoad: ImageToLoad, options: ContentOptions): Promise<ImageToLoad>;
  /**
   * The name under which an image is sent, if its final name is `anchor`. The same name if the daemon names only
   * complete images; another name if it does not; none if names in an archive mean something else.
   */
  stagedName(toLoad: ImageToLoad, anchor: string | undefined): string | undefined;
  /** Asks what the daemon holds. An answer that is not understood counts as nothing. */
  probe(
    access: StoreAccess,
    toLoad: ImageToLoad,
    name: string | undefined,
    options: ContentOptions,
  ): Promise<Held>;
  /** The archive to send. */
  archive(toLoad: ImageToLoad, content: ArchiveContent, options: BlobArchiveOptions): Readable;
  /** The daemon's ID of the image. */
  idOf(toLoad: ImageToLoad): Digest;
  /** What is wrong with the image in the daemon, in words; undefined if it is there and complete. */
  flaw(images: Images, toLoad: ImageToLoad, options: ContentOptions): Promise<string | undefined>;
}

/** The answer when nothing is known to be held, or nobody asked. */
export function heldNothing({ image }: ImageToLoad): Held {
  return {
    layers: image.layers.map(() => false),
    omit: new Set(),
    loaded: false,
    release: async () => undefined,
  };
}

/** The difference between a daemon's layers and those of the image that it should hold; undefined if there is none. */
export function layerFlaw(image: Image, found: readonly Digest[]): string | undefined {
  const expected = image.layers.map(({ diffId }) => diffId);
  if (found.length !== expected.length)
    return `it has ${count(found.length, 'layer')}, not ${expected.length}`;
  const at = expected.findIndex((diffId, i) => diffId !== found[i]);
  return at < 0 ? undefined : `its layer ${at} is ${found[at] ?? 'missing'}, not ${expected[at] ?? 'none'}`;
}
