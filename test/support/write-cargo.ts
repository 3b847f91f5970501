import { Layout } from '../../src/layout/layout.ts';
import { once } from '../../src/stream/tap.ts';
import type { TestCargo } from '../docker/cargo.ts';

/** Makes a layout that holds an image under this name, as a builder leaves it. */
export async function writeCargo(path: string, { root, source }: TestCargo, name: string): Promise<void> {
  const layout = await Layout.create(path);
  await layout.update(async (content) => {
    for (const [digest, bytes] of source.blobs)
      await content.put({ mediaType: 'application/octet-stream', digest, size: bytes.length }, once(bytes));
    content.add(root, [name], {});
  });
}
