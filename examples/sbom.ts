// Attaches an SBOM to an image, and finds it again. It travels with the image, also into registries.
import { json } from 'node:stream/consumers';
import type { ImagePlace, ImageStore } from 'drayage';
import { attach, contentsOf } from 'drayage/image';

const SPDX = 'application/spdx+json';

export async function attachSbom(store: ImageStore, image: string, sbom: object): Promise<void> {
  const [{ root }] = await store.resolve(image);
  const bytes = Buffer.from(JSON.stringify(sbom));
  await store.update(async (transaction) => {
    const artifact = await attach(transaction, root, SPDX, [{ bytes, mediaType: SPDX }]);
    transaction.add(artifact, [], {});
  });
}

export async function findSboms(place: ImagePlace, image: string): Promise<unknown[]> {
  const [{ root }] = await place.resolve(image);
  const sboms: unknown[] = [];
  for (const artifact of await place.referrers(root)) {
    const { blobs } = await contentsOf(place, artifact);
    for (const blob of blobs.filter(({ mediaType }) => mediaType === SPDX))
      sboms.push(await json(await place.open(blob)));
  }
  return sboms;
}
