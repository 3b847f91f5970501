import type { Readable } from 'node:stream';
import type { ContentOptions, ContentSource } from '../content.ts';
import type { Image } from '../image.ts';
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

/** How one kind of daemon takes images in. */
export interface Store {
  /** Whether a name inside the archive becomes exactly that name in the daemon; otherwise names are only set afterwards. */
  readonly takesNames: boolean;
  /** The archive that is sent. */
  archive(cargo: Cargo, names: readonly string[], options: ContentOptions): Readable;
  /** What the daemon calls the image. */
  idOf(cargo: Cargo): Digest;
  /** Whether the daemon proves that it holds the image, so that nothing needs to be sent. */
  isPresent(images: Images, cargo: Cargo, options: ContentOptions): Promise<boolean>;
  /**
   * What is wrong with an image after its load, in words; undefined where it is there and whole.
   * @param name under which it was loaded, if it was under any
   */
  flaw(
    images: Images,
    cargo: Cargo,
    name: string | undefined,
    options: ContentOptions,
  ): Promise<string | undefined>;
}

/** What tells a daemon's layers from those of an image that it should hold; undefined where there is no difference. */
export function layerFlaw(image: Image, found: readonly Digest[]): string | undefined {
  const expected = image.layers.map(({ diffId }) => diffId);
  if (found.length !== expected.length) return `it has ${found.length} layers, not ${expected.length}`;
  const at = expected.findIndex((diffId, i) => diffId !== found[i]);
  return at < 0 ? undefined : `its layer ${at} is ${found[at] ?? 'missing'}, not ${expected[at] ?? 'none'}`;
}
