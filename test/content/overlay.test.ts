import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import type { ImagePlace, ResolvedImages, StoredImage } from '../../src/content/image-index.ts';
import { overlay, placeOf } from '../../src/content/overlay.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { digestOf } from '../../src/oci/digest.ts';

const BLOB: Descriptor = { mediaType: 'text/plain', digest: digestOf(Buffer.from('a')), size: 1 };

/** A place that keeps all it knows in private fields, as the real ones do. */
class Place implements ImagePlace {
  readonly #image: StoredImage;

  constructor(name: string) {
    this.#image = { root: BLOB, names: [name], annotations: {} };
  }

  async has(): Promise<boolean> {
    return this.#image.names.length > 0;
  }

  async open(): Promise<Readable> {
    return Readable.from([Buffer.from(this.#image.names[0] ?? '')]);
  }

  async images(): Promise<StoredImage[]> {
    return [this.#image];
  }

  async resolve(): Promise<ResolvedImages> {
    return [this.#image];
  }

  async referrers(): Promise<Descriptor[]> {
    return [this.#image.root];
  }
}

async function namesOf(place: ImagePlace): Promise<(string | undefined)[]> {
  const listed = await place.images();
  const [resolved] = await place.resolve('a');
  const content = String(Buffer.concat(await (await place.open(BLOB)).toArray()));
  return [listed[0]?.names[0], resolved.names[0], content];
}

test('what is not replaced is what the place says, private fields and all', async () => {
  const place = overlay(new Place('a'), {});
  expect(await namesOf(place)).toEqual(['a', 'a', 'a']);
  expect(await place.has(BLOB)).toBe(true);
  expect(await place.referrers(BLOB)).toEqual([BLOB]);
});

test('what is replaced is what the replacement says', async () => {
  const place = overlay(new Place('a'), { has: async () => false, images: () => new Place('b').images() });
  expect(await namesOf(place)).toEqual(['b', 'a', 'a']);
  expect(await place.has(BLOB)).toBe(false);
});

test('content and index can be of two places', async () => {
  expect(await namesOf(placeOf(new Place('a'), new Place('b')))).toEqual(['b', 'b', 'a']);
});
