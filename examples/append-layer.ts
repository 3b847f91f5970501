// Puts a folder's tar on top of a base image, without a daemon.
import { createReadStream } from 'node:fs';
import type { ImageStore } from 'drayage';
import { mutateImage, putLayer } from 'drayage/image';

export async function appendLayer(
  store: ImageStore,
  base: string,
  tar: string,
  name: string,
  cmd: readonly string[],
): Promise<string> {
  const [{ root }] = await store.resolve(base);
  return store.update(async (transaction) => {
    const layer = await putLayer(transaction, createReadStream(tar));
    const layers = [{ ...layer, createdBy: `ADD ${tar}` }];
    const image = await mutateImage(transaction, root, { layers, cmd });
    transaction.add(image, [name], {});
    return image.digest;
  });
}
