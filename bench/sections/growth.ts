/** How the cost of saving grows with bytes, layers and images: ours alone, once each, out of a stream. */
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { bytesOf, clear, type Codec, ourSave } from '../commands.ts';
import type { Contender, Race } from '../contender.ts';
import type { Lab } from '../lab.ts';
import type { Goal } from '../statistics.ts';
import { layerCount, type Shape, syntheticArchive } from '../synthetic.ts';

const MB = 1_000_000;
/** Above linear, or above the least one, by noise at most. */
const TOLERANCE = 1.2;
const CODECS: readonly Codec[] = ['none', 'zstd'];
const LIMITS: Record<Codec, number> = { none: 128 * MB, gzip: 256 * MB, zstd: 256 * MB };

/** A step of a race: what grows, and how large it is. */
interface Step {
  name: string;
  amount: number;
  shape: Shape;
}

/** Three races. */
export async function growthRaces(lab: Lab): Promise<(() => Promise<Race>)[]> {
  const unit = lab.options.quick ? MB : 1000 * MB;
  const layer = unit / 100;
  const bytes = [1, 4, 16].map((n) => step(n, 'GB', { ownLayers: 10, layerSize: (n * unit) / 10 }));
  const layers = [10, 100, 1000].map((n) => step(n, 'layers', { ownLayers: n, layerSize: unit / n }));
  const images = [1, 10, 100].map((n) =>
    step(n, 'images', { images: n, sharedLayers: 5, ownLayers: 1, layerSize: layer }),
  );
  return [
    async () => race('bytes', `10 layers; 1 GB is ${unit / MB} MB.`, bytes, lab),
    async () => race('layers', `${unit / MB} MB in all.`, layers, lab),
    async () =>
      race('images', `Layers of ${layer / MB} MB: 5 that all images share, 1 of each image.`, images, lab),
  ];
}

function step(amount: number, what: string, shape: Partial<Shape>): Step {
  const { images = 1, sharedLayers = 0, ownLayers = 1, layerSize = MB } = shape;
  const blocks = Math.ceil(layerSize / 512);
  return {
    name: `${amount} ${what}`,
    amount,
    shape: { images, sharedLayers, ownLayers, layerSize: blocks * 512 },
  };
}

async function race(title: string, about: string, steps: readonly Step[], lab: Lab): Promise<Race> {
  return {
    title: `growth with ${title}`,
    about:
      `A stream that is made up while it is read goes into save --from -; making it costs CPU that is not counted. ${about} ` +
      'Bytes are those stored.',
    rounds: 1,
    limit: 900,
    contenders: CODECS.flatMap((codec) => steps.map((each) => contender(each, codec, lab))),
    goals: CODECS.flatMap((codec) => goals(steps, codec)),
  };
}

function contender({ name, shape }: Step, codec: Codec, lab: Lab): Contender {
  const out = join(lab.folder, 'grown');
  return {
    name: `${name}, ${codec}`,
    ours: true,
    command: ourSave(codec, '--from -', out, lab),
    input: () => Readable.from(syntheticArchive(shape), { objectMode: false, highWaterMark: MB }),
    before: async () => {
      await clear(out)();
      await needSpace(lab.folder, size(shape));
    },
    bytes: async () => {
      const stored = await bytesOf(out);
      await clear(out)();
      return stored;
    },
  };
}

function size(shape: Shape): number {
  return layerCount(shape) * shape.layerSize;
}

/** From the first step to each other, time grows no more than what grows; memory is flat, and under the limit at any size. */
function goals(steps: readonly Step[], codec: Codec): Goal[] {
  const [least] = steps;
  return steps.flatMap(({ name, amount }): Goal[] => {
    const ours = `${name}, ${codec}`;
    const limit: Goal = { ours, metric: 'peakMemory', atMost: LIMITS[codec] };
    if (least === undefined || least.name === name) return [limit];
    const against = `${least.name}, ${codec}`;
    const linear = (amount / least.amount) * TOLERANCE;
    return [
      limit,
      { ours, against, atMost: linear },
      { ours, against, metric: 'peakMemory', atMost: TOLERANCE },
    ];
  });
}

/** @throws {Error} When a file system has less than the bytes and a tenth. */
async function needSpace(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  if (free > bytes * 1.1) return;
  throw new Error(`needs ${(bytes / 1e9).toFixed(0)} GB of disk, and ${(free / 1e9).toFixed(0)} GB are free`);
}
