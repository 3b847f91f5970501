// Copies an image from one daemon to another. Its layers are proven first, and no file is written on the way.
import type { CopyResult } from 'drayage';
import { connectDocker, copy } from 'drayage';

export async function daemonToDaemon(fromHost: string, toHost: string, image: string): Promise<CopyResult> {
  await using from = await connectDocker({ host: fromHost });
  await using to = await connectDocker({ host: toHost });
  return await copy({ from, to, images: [image] });
}
