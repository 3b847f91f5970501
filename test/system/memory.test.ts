import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { drayage } from '../support/cli.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { skipReason, startDaemon } from './support/daemons.ts';
import { syntheticArchive } from './support/synthetic-archive.ts';

const LAYERS = 10;

/** Peak resident bytes of each step of the journey of one image. */
interface Peaks {
  saveArchive: number;
  writeArchive: number;
  loadDaemon: number;
  saveDaemon: number;
}

async function journey(mibPerLayer: number): Promise<Peaks> {
  const folder = await temporaryFolder();
  const daemon = await startDaemon('docker-20.10');
  try {
    const step = async (args: string[], options: object = {}): Promise<number> => {
      const { code, stderr, peakMemory } = await drayage(args, { cwd: folder, ...options });
      expect(`${code} ${code === 0 ? '' : stderr}`).toBe('0 ');
      return peakMemory;
    };
    const input = syntheticArchive('memory:1', LAYERS, mibPerLayer);
    const saveArchive = await step(['save', '--from', '-', '-o', 'first'], { input });
    await using nowhere = await open('/dev/null', 'w');
    const writeArchive = await step(['load', 'first', '--to', '-'], { stdout: nowhere.fd });
    const loadDaemon = await step(['load', 'first', '--host', daemon.host]);
    await rm(join(folder, 'first'), { recursive: true });
    const saveDaemon = await step(['save', 'memory:1', '-o', 'second', '--host', daemon.host]);
    return { saveArchive, writeArchive, loadDaemon, saveDaemon };
  } finally {
    await daemon.stop();
  }
}

/** Of two journeys, for one image as for the other: when the garbage collector runs is chance, and moves a peak by a tenth. */
async function highest(mibPerLayer: number): Promise<Peaks> {
  const first = await journey(mibPerLayer);
  const second = await journey(mibPerLayer);
  return {
    saveArchive: Math.max(first.saveArchive, second.saveArchive),
    writeArchive: Math.max(first.writeArchive, second.writeArchive),
    loadDaemon: Math.max(first.loadDaemon, second.loadDaemon),
    saveDaemon: Math.max(first.saveDaemon, second.saveDaemon),
  };
}

describe.skipIf(skipReason('docker-20.10') !== undefined)('memory', () => {
  test('the peak does not grow with the image: 300 MB and 3 GB are within 20 %', async () => {
    const small = await highest(30);
    const large = await highest(300);
    const ratios = Object.entries(small).map(
      ([step, bytes]) => [step, large[step as keyof Peaks] / bytes] as const,
    );
    console.log(
      Object.entries(large)
        .map(([step, bytes]) => `${step} ${Math.round(bytes / 1e6)} MB`)
        .join(', '),
      ratios.map(([step, ratio]) => `${step} x${ratio.toFixed(2)}`).join(', '),
    );
    for (const [step, ratio] of ratios) expect(ratio, step).toBeLessThan(1.2);
  });
});
