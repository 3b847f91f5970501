import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import type { DockerDaemon, ImagePlace, Layout } from '../../src/index.ts';
import { connectDocker, Layout as LayoutFolder, load, save, unload } from '../../src/index.ts';
import type { TestCargo } from '../docker/cargo.ts';
import { makeCargo } from '../docker/cargo.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { DAEMON_KINDS, skipReason, startDaemon } from './support/daemons.ts';

const exec = promisify(execFile);

const MB = 1_000_000;
const ROUNDS = 25;
/** Of what daemons keep of their own; a layer that is left is a multiple of it. */
const SLACK = 0.5 * MB;
const STOP = new Error('stopped by the test');

/** How a round goes wrong. */
const FAULTS = ['none', 'load stopped', 'layer damaged', 'save stopped', 'none'] as const;
type Fault = (typeof FAULTS)[number];

/** A place with one image, named `temp:latest`. */
function placeOf({ source, root }: TestCargo): ImagePlace {
  const image = { root, names: ['temp:latest'], annotations: {} };
  return {
    has: async (descriptor) => source.has(descriptor),
    open: async (descriptor) => source.open(descriptor),
    images: async () => [image],
    resolve: async () => [image],
    referrers: async () => [],
  };
}

/** An image with a layer that all have, and one of 2 MB that only it has. */
function freshCargo(): TestCargo {
  return makeCargo({ layers: ['shared by all', randomBytes(2 * MB)], compress: false });
}

/** What only the jobs know, such as their token: with it, names that were asked for are given back, too. */
const SECRET = 'of the jobs';

/** Loads an image of its own and saves it again, with a fault on the way; then gives it back. */
async function round(daemon: DockerDaemon, layout: Layout, job: string, fault: Fault): Promise<string> {
  const cargo = freshCargo();
  const last = cargo.layers.at(-1);
  const bytes = last && cargo.source.blobs.get(last.digest);
  if (fault === 'layer damaged' && last && bytes) {
    const damaged = Uint8Array.from(bytes);
    damaged[MB] = (damaged[MB] ?? 0) ^ 1;
    cargo.source.blobs.set(last.digest, damaged);
  }
  try {
    const loading = new AbortController();
    const { images } = await load({
      from: [placeOf(cargo)],
      to: daemon,
      names: 'unique',
      tags: ['asked/for:1'],
      lease: { job, secret: SECRET, now: new Date() },
      signal: loading.signal,
      onProgress: ({ kind }) => void (fault === 'load stopped' && kind === 'bytes' && loading.abort(STOP)),
    });
    const saving = new AbortController();
    await save({
      from: daemon,
      images: images.map(({ ref }) => ref),
      to: layout,
      signal: saving.signal,
      onProgress: ({ kind }) => void (fault === 'save stopped' && kind === 'bytes' && saving.abort(STOP)),
    });
    return 'done';
  } catch (error) {
    return error === STOP ? 'stopped' : String(error instanceof Error && 'code' in error && error.code);
  } finally {
    await unload({ from: daemon, leases: { job, secret: SECRET } });
  }
}

/** Bytes that are allocated below a folder. */
async function diskUsage(folder: string): Promise<number> {
  // Files come and go while it counts: that is no failure.
  const { stdout } = await exec('sh', ['-c', 'du -s --block-size=1 "$0" 2>/dev/null || true', folder]);
  return Number.parseInt(stdout, 10);
}

/** Waits until usage is back at `expected`: a containerd store collects what is unused in the background. */
async function settledUsage(folder: string, expected: number): Promise<number> {
  let used = await diskUsage(folder);
  for (let i = 0; i < 60 && used > expected; i++) {
    await delay(500);
    used = await diskUsage(folder);
  }
  return used;
}

const OUTCOMES: Record<Fault, string> = {
  none: 'done',
  'load stopped': 'stopped',
  'layer damaged': 'DIGEST_MISMATCH',
  'save stopped': 'stopped',
};

describe.each(DAEMON_KINDS)('after many loads and saves, some of which fail, %s', (kind) => {
  test.skipIf(skipReason(kind) !== undefined)(
    'holds no image, name or layer that was not asked for',
    async () => {
      const target = await startDaemon(kind);
      try {
        const daemon = await connectDocker({ host: target.host });
        const layout = await LayoutFolder.create(join(await temporaryFolder(), 'layout'));
        const keep = freshCargo();
        await load({ from: [placeOf(keep)], to: daemon, tags: ['keep:1'] });
        for (const fault of FAULTS) await round(daemon, layout, 'warmup', fault);
        const names = await daemon.list();
        const before = await diskUsage(target.dataRoot);
        for (let i = 0; i < ROUNDS; i++) {
          const fault = FAULTS[i % FAULTS.length] ?? 'none';
          expect(`${i}: ${await round(daemon, layout, `${i}`, fault)}`).toBe(`${i}: ${OUTCOMES[fault]}`);
        }
        expect(await daemon.list()).toEqual(names);
        const after = await settledUsage(target.dataRoot, before + SLACK);
        console.log(`${kind}: ${before} bytes before, ${after} after ${ROUNDS} loads and saves`);
        expect(after - before).toBeLessThan(SLACK);
        const ids = await target.docker(['images', '--all', '--quiet']);
        expect(new Set(ids.stdout.trim().split('\n')).size).toBe(1);
        await daemon.close();
      } finally {
        await target.stop();
      }
    },
  );
});
