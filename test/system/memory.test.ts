import { open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { drayage } from '../support/cli.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { skipReason, startDaemon } from './support/daemons.ts';
import { syntheticArchive } from './support/synthetic-archive.ts';

const LAYERS = 10;

/** Writes the peak of its process into the file that PEAK_FILE names. */
const REPORT_PEAK = new URL('./support/report-peak.mjs', import.meta.url).href;

/** Peak resident bytes of each step of the journey of one image. */
interface Peaks {
  saveArchive: number;
  writeArchive: number;
  loadDaemon: number;
  saveDaemon: number;
}

async function journey(mibPerLayer: number): Promise<Peaks> {
  const folder = await temporaryFolder();
  const peakFile = join(folder, 'peak');
  const env = { NODE_OPTIONS: `--import=${REPORT_PEAK}`, PEAK_FILE: peakFile };
  const daemon = await startDaemon('docker-20.10');
  try {
    const step = async (args: string[], options: object = {}): Promise<number> => {
      const { code, stderr } = await drayage(args, { cwd: folder, env, ...options });
      expect(`${code} ${code === 0 ? '' : stderr}`).toBe('0 ');
      return Number(await readFile(peakFile, 'utf8'));
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

/** Of an odd number of journeys: when the garbage collector runs is chance, and moves the peak of one by a fifth. */
function median(journeys: readonly Peaks[], step: keyof Peaks): number {
  const peaks = journeys.map((each) => each[step]).toSorted((a, b) => a - b);
  return peaks[(peaks.length - 1) / 2]!;
}

describe.skipIf(skipReason('docker-20.10') !== undefined)('memory', () => {
  test('the peak does not grow with the image: 1 GB and 3 GB are within 20 %, and below 256 MB', async () => {
    const [small, large]: [Peaks[], Peaks[]] = [[], []];
    for (let i = 0; i < 3; i++) {
      // Collections need as long to settle.
      small.push(await journey(100));
      large.push(await journey(300));
    }
    const steps = Object.keys(small[0]!) as (keyof Peaks)[];
    const ratios = steps.map((step) => [step, median(large, step) / median(small, step)] as const);
    const text = (journeys: Peaks[], step: keyof Peaks): string =>
      journeys.map((peaks) => Math.round(peaks[step] / 1e6)).join(' ');
    for (const [step, ratio] of ratios)
      console.log(`${step}: MB ${text(small, step)}, ${text(large, step)}: x${ratio.toFixed(2)}`);
    for (const [step, ratio] of ratios) expect(ratio, step).toBeLessThan(1.2);
    const peaks = large.flatMap((journeyPeaks) => Object.values(journeyPeaks));
    expect(Math.max(...peaks)).toBeLessThan(256e6);
  });
});
