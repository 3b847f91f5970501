// Compares an image of two daemons: layers by their content, and the configs.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DiffResult, DiffSide } from 'drayage';
import { connectDocker, diff, Layout, save } from 'drayage';

export async function compareDaemons(hostA: string, hostB: string, image: string): Promise<DiffResult> {
  const folder = await mkdtemp(join(tmpdir(), 'compare-'));
  try {
    const a = await sideOf(hostA, image, join(folder, 'a'));
    const b = await sideOf(hostB, image, join(folder, 'b'));
    return await diff({ a, b });
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function sideOf(host: string, image: string, folder: string): Promise<DiffSide> {
  await using daemon = await connectDocker({ host });
  const place = await Layout.create(folder);
  await save({ from: daemon, images: [image], to: place, compress: 'none' });
  return { place };
}
