import type { Readable } from 'node:stream';
import type { ContentOptions, ContentSource } from '../content/source.ts';
import type { Image } from '../image/image.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { Images } from './images.ts';

/** An image on its way into a daemon. */
export interface Cargo {
  root: Descriptor;
  /** The image for the daemon's platform that the root leads to. */
  image: Image;
  source: ContentSource;
}

/** The daemon as a store sees it. */
export interface StoreAccess {
  images: Images;
  /** Sends an archive to be loaded. The daemon's own words, where it refuses, are the error's `facts.actual`. */
  send: (archive: Readable) => Promise<void>;
}

/** What a daemon proves to hold of an image. */
export interface Held {
  /** For each layer of the image, bottom first, whether it is there. */
  layers: readonly boolean[];
  /** What the archive can do without: digests as {@link Store.archive} understands them. */
  omit: ReadonlySet<Digest>;
  /** Whether the question has put the image into the daemon already, so that nothing is left to send. */
  loaded: boolean;
  /** Takes back what the question left in the daemon. What is held may be collected as garbage from then on. */
  release(): Promise<void>;
}

/** What goes into an archive. */
interface ArchiveContent {
  names: readonly string[];
  /** {@link Held.omit} */
  omit: ReadonlySet<Digest>;
}

/** How one kind of daemon takes images in. */
export interface Store {
  /**
   * The name under which an image is sent that is to get the name `anchor`: that one where the daemon gives names only to
   * images that are whole, another one where it does not, none where names in an archive mean something else.
   */
  stagedName(cargo: Cargo, anchor: string | undefined): string | undefined;
  /** Asks what the daemon holds. Whatever it says that is not understood counts as nothing. */
  probe(access: StoreAccess, cargo: Cargo, name: string | undefined, options: ContentOptions): Promise<Held>;
  /** The archive that is sent. */
  archive(cargo: Cargo, content: ArchiveContent, options: ContentOptions): Readable;
  /** What the daemon calls the image. */
  idOf(cargo: Cargo): Digest;
  /** What is wrong with the image in the daemon, in words; undefined where it is there and whole. */
  flaw(images: Images, cargo: Cargo, options: ContentOptions): Promise<string | undefined>;
}

/** What is held where nothing is known to be, or where it is not asked for. */
export function heldNothing({ image }: Cargo): Held {
  return {
    layers: image.layers.map(() => false),
    omit: new Set(),
    loaded: false,
    release: async () => undefined,
  };
}

/** What tells a daemon's layers from those of an image that it should hold; undefined where there is no difference. */
export function layerFlaw(image: Image, found: readonly Digest[]): string | undefined {
  const expected = image.layers.map(({ diffId }) => diffId);
  if (found.length !== expected.length) return `it has ${found.length} layers, not ${expected.length}`;
  const at = expected.findIndex((diffId, i) => diffId !== found[i]);
  return at < 0 ? undefined : `its layer ${at} is ${found[at] ?? 'missing'}, not ${expected[at] ?? 'none'}`;
}
