import type { ContentOptions } from '../../content/source.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Images } from '../images/images.ts';

/** What the names of a load meant before it. */
export class NamesBefore {
  readonly #images: Images;
  readonly #before: ReadonlyMap<string, Digest>;

  private constructor(images: Images, before: ReadonlyMap<string, Digest>) {
    this.#images = images;
    this.#before = before;
  }

  /** Asks a daemon. */
  static async ask(images: Images, names: readonly string[], options: ContentOptions): Promise<NamesBefore> {
    const before = new Map<string, Digest>();
    for (const name of names) {
      const found = await images.find(name, options);
      if (found !== undefined) before.set(name, found.id);
    }
    return new NamesBefore(images, before);
  }

  /** The names that meant another image than this one. */
  movedTo(id: Digest): { name: string; from: Digest }[] {
    return [...this.#before].filter(([, from]) => from !== id).map(([name, from]) => ({ name, from }));
  }

  /**
   * Gives a name its earlier meaning back, if it means another image now.
   * @param isKept whether an image may keep a name that meant nothing before
   */
  async restore(
    name: string,
    isKept: (id: Digest) => Promise<boolean>,
    options: ContentOptions,
  ): Promise<void> {
    const before = this.#before.get(name);
    const now = (await this.#images.find(name, options))?.id;
    if (now === before) return;
    if (before !== undefined) await this.#images.tag(before, name, options);
    else if (now !== undefined && !(await isKept(now))) await this.#images.remove(name, options);
  }
}
