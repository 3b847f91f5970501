// Copies an image from one daemon to another. Its bytes are checked in a folder on the way.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CopyResult } from 'drayage';
import { connectDocker, copy, Layout } from 'drayage';

export async function daemonToDaemon(fromHost: string, toHost: string, image: string): Promise<CopyResult> {
  await using from = await connectDocker({ host: fromHost });
  await using to = await connectDocker({ host: toHost });
  const folder = await mkdtemp(join(tmpdir(), 'copy-'));
  try {
    const through = await Layout.create(join(folder, 'layout'));
    return await copy({ from, to, images: [image], through });
  } finally {
    await rm(folder, { recursive: true });
  }
}
